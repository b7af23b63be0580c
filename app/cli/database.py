"""Verbs that work on the whole database: `migrate`, `reseal`; and `demo`, which fills a running chat."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from app.cli.verbs import Verbs, load_beside, opened
from app.settings import Settings, load

ROOT: Final = Path(__file__).resolve().parents[2]


def add(verbs: Verbs) -> None:
    verbs.add("migrate", _migrate, "bring the database's schema up to date")
    verbs.add("demo", demo, "fill a running chat with people and conversations")
    verbs.add("reseal", reseal, "after a change of SECRET_KEY: what the previous one sealed")


def migrate(url: str) -> None:
    """Brings the database at this SQLAlchemy URL up to the newest schema."""
    from alembic.config import Config

    from alembic import command

    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = url
    command.upgrade(config, "head")


def _migrate(asked: argparse.Namespace) -> None:
    migrate(load_beside().sqlalchemy_url)


def demo(asked: argparse.Namespace) -> int:
    from app.local import demo

    return demo.run(load(embedded=True).port)


def reseal(asked: argparse.Namespace) -> None:
    import asyncio

    print(
        f"Sealed with today's key: {asyncio.run(_reseal(load_beside()))}. Keep SECRET_KEY_PREVIOUS while logins last."
    )


async def _reseal(settings: Settings) -> int:
    from app.domain.users.second_factors import SecondFactors

    async with opened(settings) as database, database.transaction() as session:
        return await SecondFactors(settings.secret_key, settings.secret_key_previous).reseal(session)
