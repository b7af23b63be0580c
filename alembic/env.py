"""Runs migrations on DATABASE_URL, one process at a time: parallel deploys wait for an advisory lock."""

from __future__ import annotations

import warnings
from typing import Any

from sqlalchemy import create_engine, pool, text

from alembic import context
from app.db import charset
from app.domain import tables
from app.domain.locks import AdvisoryLock

PARTITION_OF = "messages_p"


def ours(_object: Any, name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:
    """Leave out the partitions of `messages`: Postgres's matter, not the models'."""
    return not (kind == "table" and (name or "").startswith(PARTITION_OF))


def run() -> None:
    url = context.config.get_main_option("sqlalchemy.url") or context.config.attributes["url"]
    engine = create_engine(
        url,
        poolclass=pool.NullPool,
        connect_args={"connect_timeout": 10, "options": "-c timezone=UTC -c lock_timeout=10s"},
    )
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": int(AdvisoryLock.MIGRATIONS)})
        if warning := charset.verify(connection):
            context.config.attributes.get("warn", warnings.warn)(warning)
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=tables.metadata,
            include_object=ours,
            compare_type=True,
            compare_server_default=False,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
