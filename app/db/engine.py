"""The engine: how connections are made, and what bounds each of their waits."""

from __future__ import annotations

from typing import Final

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.db.connections import TRANSACTION_SECONDS, Connections
from app.db.outages import translate

POOL_SECONDS: Final = 3
DIALECT: Final = "postgresql+psycopg://"
"""All that SQLAlchemy learns of the server: libpq reads the URL."""

__all__ = ["POOL_SECONDS", "TRANSACTION_SECONDS", "open_engine"]


def open_engine(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """An engine on `url` (postgresql://…, in any form libpq knows) whose every wait has an end: connecting, pool,
    locks, statements. Raises AddressRefused."""
    engine = create_async_engine(
        DIALECT,
        async_creator=Connections(url).open,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        pool_use_lifo=True,
        # What a failing statement was given is what people wrote: it is nobody's business in logs and events.
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "handle_error", translate)
    return engine
