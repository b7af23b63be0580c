"""What the verbs share."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from app.settings import Settings, SettingsRefused, load

if TYPE_CHECKING:
    from app.db import Database, Session

T = TypeVar("T")

Run = Callable[[argparse.Namespace], object]
"""What a verb does; a number is its exit code."""


class CommandLine:
    """Where each family of verbs adds its own."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._all = parser.add_subparsers(required=True, metavar="verb")

    def add(self, name: str, run: Run, what: str) -> argparse.ArgumentParser:
        """`chat name …` runs `run`; its arguments are added to the answer. `what` is a line of the help."""
        verb = self._all.add_parser(name, help=what)
        verb.set_defaults(verb=run)
        return verb

    def family(self, name: str, what: str) -> CommandLine:
        """`chat name …`: verbs under one name."""
        return CommandLine(self._all.add_parser(name, help=what))


def load_beside() -> Settings:
    """The settings; beside a running `chat up`, with the addresses of its embedded servers."""
    from app.local import embedded

    try:
        data_dir = load(embedded=True).data_dir
    except SettingsRefused:
        return load()  # which refuses too, and names the servers as well
    return load(running=embedded.running(data_dir))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """The database, for the length of one verb."""
    from app.db import Database, open_engine

    database = Database(open_engine(settings.libpq_url, pool_size=1))
    try:
        yield database
    finally:
        await database.close()


def refused(settings: Settings) -> bool:
    """Whether this chat cannot run on its database; the reason is printed."""
    from app.db.connections import unfit

    if sentence := asyncio.run(unfit(settings.libpq_url)):
        print(f"chat: {sentence}.", file=sys.stderr, flush=True)
    return bool(sentence)


def done(settings: Settings, work: Callable[[Session], Awaitable[T]], told: Callable[[T], str]) -> int:
    """Do `work` in one transaction and print what is `told` of it; 1 and a sentence when it could not be done."""
    from app.domain.errors import ChatError

    async def once() -> T:
        async with opened(settings) as database, database.transaction() as session:
            return await work(session)

    try:
        found = asyncio.run(once())
    except ChatError as error:
        wrong = "".join(f" {field}: {message}" for field, message in getattr(error, "errors", ()))
        print(f"chat: {error.detail}{wrong}", file=sys.stderr)
        return 1
    print(told(found))
    return 0
