"""Creates the SQLAlchemy engine, with a bound on every wait."""

from __future__ import annotations

from typing import Final

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.db.connector import TRANSACTION_SECONDS, Connections
from app.db.outages import translate

POOL_SECONDS: Final = 3
DIALECT: Final = "postgresql+psycopg://"
"""All that SQLAlchemy knows of the server: libpq reads the URL."""

__all__ = ["POOL_SECONDS", "TRANSACTION_SECONDS", "open_engine"]


def open_engine(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """Returns an engine for `url` (postgresql://…, in any form libpq knows) that bounds every wait: connecting, pool,
    locks, statements. Raises AddressRefused."""
    engine = create_async_engine(
        DIALECT,
        async_creator=Connections(url).open,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        pool_use_lifo=True,
        # Parameters of a failed statement hold users' texts, which must not reach logs or error reports.
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "handle_error", translate)
    return engine
