"""The engine: how connections are made, and what bounds each of their waits."""

from __future__ import annotations

import psycopg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.db.outages import translate

CONNECT_SECONDS = 3
POOL_SECONDS = 3
TRANSACTION_SECONDS = 20

SESSION_SETTINGS = {
    "timezone": "UTC",
    "lock_timeout": "1s",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "5s",
}


def open_engine(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """An engine on `url` (postgresql+psycopg://…) whose every wait has an end: connecting, pool, locks, statements."""
    options = " ".join(f"-c {name}={value}" for name, value in SESSION_SETTINGS.items())
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        pool_use_lifo=True,
        # What a failing statement was given is what people wrote: it is nobody's business in logs and events.
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "options": options,
            "application_name": "chat",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
            "prepare_threshold": 1,
        },
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _bound_transactions(connection: psycopg.Connection[object], _: object) -> None:
        # Postgres 17 ends long transactions itself; before it, our own deadline below is the only one.
        if connection.info.server_version >= 170000:
            with connection.cursor() as cursor:
                cursor.execute(f"SET transaction_timeout = '{TRANSACTION_SECONDS}s'")
            # Or the first transaction that is rolled back takes the setting with it.
            connection.commit()

    event.listen(engine.sync_engine, "handle_error", translate)
    return engine
