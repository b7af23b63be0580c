"""Runs migrations on DATABASE_URL, one process at a time: parallel deploys wait for an advisory lock.

All of it is one transaction, and the lock and the settings are that transaction's: neither outlives it, on whatever
connection of a pooler it ran.
"""

from __future__ import annotations

from typing import Any, cast

import psycopg
from sqlalchemy import Connection, create_engine, pool, text

from alembic import context
from app.db import charset, legacy_schema, privileges, schema_version
from app.db.connector import session_settings
from app.db.database_url import parameters
from app.db.engine import DIALECT
from app.domain import metadata
from app.domain.locks import AdvisoryLock

PARTITION_OF = "messages_p"
TCP: dict[str, Any] = {"connect_timeout": 10, "application_name": "chat migrate"}
BOUNDS = {"lock_timeout": "10s", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
"""A migration may run long, but it does not wait long for a lock: requests queue behind every lock that it holds."""
NAMES = ("name", "value")


def ours(_object: Any, name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:
    """Leave out the partitions of `messages`: Postgres's matter, not the models'."""
    return not (kind == "table" and (name or "").startswith(PARTITION_OF))


def run() -> None:
    found = parameters(context.config.attributes["url"])
    engine = create_engine(DIALECT, poolclass=pool.NullPool, creator=lambda: psycopg.connect(**{**TCP, **found}))
    with engine.connect() as connection, connection.begin():
        for setting in {**session_settings(found), **BOUNDS}.items():
            connection.execute(text("SELECT set_config(:name, :value, true)"), dict(zip(NAMES, setting, strict=True)))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": int(AdvisoryLock.MIGRATIONS)})
        if warning := charset.verify(connection):
            context.config.attributes["warn"](warning)
        context.configure(
            connection=connection,
            target_metadata=metadata.metadata,
            include_object=ours,
            compare_type=True,
            compare_server_default=False,
        )
        with context.begin_transaction():
            context.config.attributes["from"] = context.get_context().get_current_revision()
            migrating = context.config.attributes.get("adopt")
            if migrating and (newer := schema_version.newer_than_known(context.get_context(), context.script)):
                # Privileges stay too: the newer version has tables of its own, and its processes may still run.
                context.config.attributes["warn"](newer)
                context.config.attributes["to"] = context.config.attributes["from"]
            else:
                if migrating:
                    legacy_schema.adopt(context.get_context(), context.script)
                context.run_migrations()
                grant(connection)
    engine.dispose()


def grant(connection: Connection) -> None:
    """What the application's role may do, in the transaction of the migrations."""
    application = parameters(context.config.attributes["application"])
    driver = cast("privileges.Connection", connection.connection.driver_connection)
    role = str(application.get("user", ""))
    if warning := privileges.warning(driver, role):
        context.config.attributes["warn"](warning)
    if role and role != driver.info.user:
        privileges.create(driver, role, str(application.get("password", "")))
        privileges.grant(driver, role, metadata.metadata)


run()
