"""Commands for the whole database, and `demo`, which fills a running chat with sample data."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.cli.commands import CommandLine, load_beside, opened
from app.settings import Settings, load

if TYPE_CHECKING:
    from alembic.config import Config

ROOT: Final = Path(__file__).resolve().parents[2]


def add(command_line: CommandLine) -> None:
    command_line.add("migrate", _migrate, "migrate the database schema to the current version")
    command_line.add(
        "convert-database", convert, "convert an embedded database of an earlier version to a Unicode character type"
    )
    command_line.add("demo", demo, "fill a running chat with demo users and conversations")
    command_line.add("reseal", reseal, "encrypt stored secrets with the new SECRET_KEY after a change")


def migrate(url: str, application: str = "") -> None:
    """Migrates the database at `url` to the newest schema. `application` is the URL that the chat itself uses; if it
    names another role, that role is created if missing and receives only the privileges it needs.

    Raises CharsetRefused, RoleRefused and SchemaRefused.
    """
    from alembic import command

    config = migrations(url, application)
    config.attributes["adopt"] = True
    command.upgrade(config, "head")


def migrations(url: str, application: str = "") -> Config:
    """Returns Alembic's configuration for the database at `url`."""
    from alembic.config import Config

    # Without alembic.ini: its parser would expand a percent sign in the checkout's path.
    config = Config()
    config.set_main_option("script_location", str(ROOT / "alembic").replace("%", "%%"))
    config.attributes["url"] = url
    config.attributes["application"] = application or url
    config.attributes["warn"] = _warn
    return config


def _migrate(arguments: argparse.Namespace) -> int:
    from psycopg.errors import InsufficientPrivilege
    from sqlalchemy.exc import ProgrammingError

    from app.db.charset import CharsetRefused
    from app.db.legacy_schema import SchemaRefused
    from app.db.privileges import RoleRefused

    settings = load_beside()
    try:
        migrate(settings.migrating_url, settings.libpq_url)
    except (CharsetRefused, RoleRefused, SchemaRefused) as refused:
        _warn(str(refused))
        return 1
    except ProgrammingError as error:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise
        _warn(
            f"The database refuses to be migrated by this role ({str(error.orig).strip()}): "
            "name the owner of the tables in MIGRATE_DATABASE_URL."
        )
        return 1
    return 0


def _warn(sentence: str) -> None:
    print(f"chat: {sentence}", file=sys.stderr, flush=True)


def convert(arguments: argparse.Namespace) -> int:
    from app.local import data_dir_lock, database_conversion
    from app.local.postgres import EmbeddedPostgres
    from app.local.processes import StartRefused

    settings = load(embedded=True)
    if settings.database_url:
        print(
            "chat: DATABASE_URL is set, but this command only converts the embedded database in DATA_DIR.",
            file=sys.stderr,
        )
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
        _warn(str(refused))
        return 1
    return 0


def demo(arguments: argparse.Namespace) -> int:
    from app.local import demo_seed

    return demo_seed.run(load(embedded=True).port)


def reseal(arguments: argparse.Namespace) -> None:
    import asyncio

    print(
        f"Sealed with today's key: {asyncio.run(_reseal(load_beside()))}. Keep SECRET_KEY_PREVIOUS while logins last."
    )


async def _reseal(settings: Settings) -> int:
    from app.domain.auth.second_factors import SecondFactors

    async with opened(settings) as database, database.transaction() as session:
        return await SecondFactors(settings.secret_key, settings.secret_key_previous).reseal(session)
