"""Commands for the whole database, and `demo`, which fills a running chat with sample data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import rich_click as click

from app.cli.commands import FAILED, command, complain, load_beside, opened
from app.settings import Settings, load

if TYPE_CHECKING:
    from alembic.config import Config

ROOT: Final = Path(__file__).resolve().parents[2]


def migrate(url: str, application: str = "") -> tuple[str | None, str | None]:
    """Migrates the database at `url` to the newest schema. `application` is the URL that the chat itself uses; if it
    names another role, that role is created if missing and receives only the privileges it needs. Returns
    the former version, None if the database was empty, and the present one. A database that a newer version migrated
    stays as it is, with a warning.

    Raises CharsetRefused, RoleRefused and SchemaRefused.
    """
    from alembic.script import ScriptDirectory

    from alembic import command

    config = migrations(url, application)
    config.attributes["adopt"] = True
    command.upgrade(config, "head")
    present = config.attributes.get("to") or ScriptDirectory.from_config(config).get_current_head()
    return config.attributes["from"], present


def migrations(url: str, application: str = "") -> Config:
    """Returns Alembic's configuration for the database at `url`."""
    from alembic.config import Config

    # Without alembic.ini: its parser would expand a percent sign in the checkout's path.
    config = Config()
    config.set_main_option("script_location", str(ROOT / "alembic").replace("%", "%%"))
    config.attributes["url"] = url
    config.attributes["application"] = application or url
    config.attributes["warn"] = complain
    return config


@command(
    "migrate",
    panel="Database",
    help="Migrate the database schema to the current version.",
    examples=["chat migrate", "MIGRATE_DATABASE_URL=postgresql://chat_owner:…@db/chat chat migrate"],
)
def migrate_command() -> int:
    from psycopg.errors import InsufficientPrivilege
    from sqlalchemy.exc import ProgrammingError

    from app.db.charset import CharsetRefused
    from app.db.legacy_schema import SchemaRefused
    from app.db.privileges import RoleRefused

    settings = load_beside()
    try:
        before, after = migrate(settings.migrating_url, settings.libpq_url)
    except (CharsetRefused, RoleRefused, SchemaRefused) as refused:
        complain(str(refused))
        return FAILED
    except ProgrammingError as error:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise
        complain(
            f"The database refuses to be migrated by this role ({str(error.orig).strip()}): "
            "name the owner of the tables in MIGRATE_DATABASE_URL."
        )
        return FAILED
    if before == after:
        print(f"The database is at version {after}; nothing was to be migrated.")
    elif before is None:
        print(f"Created the tables, version {after}.")
    else:
        print(f"Migrated the database from version {before} to version {after}.")
    return 0


@command(
    "convert-database",
    panel="Database",
    help="Convert an embedded database of an earlier version to a Unicode character type.",
    examples=["chat convert-database"],
)
def convert() -> int:
    from app.local import data_dir_lock, database_conversion
    from app.local.postgres import EmbeddedPostgres
    from app.local.processes import StartRefused

    settings = load(embedded=True)
    if settings.database_url:
        complain("DATABASE_URL is set, but this command only converts the embedded database in DATA_DIR.")
        return 2
    try:
        with data_dir_lock.held(settings.data_dir):
            postgres = EmbeddedPostgres(settings.data_dir / "postgres")
            if not postgres.data.exists():
                raise StartRefused(f"{settings.data_dir} contains no database.")
            try:
                postgres.start()
                print(database_conversion.convert(postgres))
            finally:
                postgres.stop()
    except StartRefused as refused:
        complain(str(refused))
        return FAILED
    return 0


@command(
    "demo",
    panel="Development",
    help="Fill a running chat with demo users and conversations. In a terminal, the users then go on talking.",
    examples=["chat demo", "chat demo --no-live", "PORT=8001 chat demo"],
)
@click.option(
    "--live/--no-live",
    default=None,
    help="Keep them talking until Ctrl-C, or (--no-live) only fill the chat. Not given: as the output is a terminal.",
)
def demo(live: bool | None) -> int:
    from app.local import embedded
    from app.local.demo import demo_seed

    running = embedded.running(load(embedded=True).data_dir)
    port = load(embedded=True, running=running).port
    return demo_seed.run(port, live=sys.stdout.isatty() if live is None else live)


@command(
    "reseal",
    panel="Database",
    help="Encrypt stored secrets with the new SECRET_KEY after a change.",
    examples=["SECRET_KEY_PREVIOUS=… SECRET_KEY=… chat reseal"],
)
def reseal() -> None:
    import asyncio

    settings = load_beside()
    advice = " Keep SECRET_KEY_PREVIOUS while logins last." if settings.secret_key_previous else ""
    print(f"Sealed with today's key: {asyncio.run(_reseal(settings))}.{advice}")


async def _reseal(settings: Settings) -> int:
    from app.domain.auth.second_factors import SecondFactors

    async with opened(settings) as database, database.transaction() as session:
        return await SecondFactors(settings.secret_key, settings.secret_key_previous).reseal(session)


COMMANDS = (migrate_command, convert, demo, reseal)
