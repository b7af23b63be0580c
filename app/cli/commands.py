"""Helpers shared by the commands."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from app.cli import database_errors
from app.settings import Settings, SettingsRefused, load

if TYPE_CHECKING:
    from app.db import Database, Session

T = TypeVar("T")

Run = Callable[[argparse.Namespace], object]
"""The function of a command; if it returns a number, that is the exit code."""


class CommandLine:
    """Registers commands and families of commands with the parser."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._subparsers = parser.add_subparsers(required=True, metavar="command")

    def add(self, name: str, run: Run, help_text: str) -> argparse.ArgumentParser:
        """Makes `chat name …` call `run`. Returns the parser for its arguments. `help_text` is its line in the help."""
        command = self._subparsers.add_parser(name, help=help_text)
        command.set_defaults(command=run)
        return command

    def family(self, name: str, help_text: str) -> CommandLine:
        """Returns a `CommandLine` for the subcommands of `chat name …`."""
        return CommandLine(self._subparsers.add_parser(name, help=help_text))


def load_beside() -> Settings:
    """Loads the settings, with the URLs of the embedded servers if a `chat up` is running. Raises SettingsRefused."""
    from app.local import embedded

    try:
        settings = load(embedded=True)
    except SettingsRefused:
        return load()  # raises as well, and its problems include the missing server URLs
    running = embedded.running(settings.data_dir)
    if not running and not (settings.database_url and settings.redis_url):
        raise SettingsRefused(
            [f"No chat runs on {settings.data_dir} (DATA_DIR): start it, or set DATABASE_URL and REDIS_URL."]
        )
    return load(running=running)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """Opens the database for the duration of one command."""
    from app.db import Database, open_engine

    database = Database(open_engine(settings.libpq_url, pool_size=1))
    try:
        yield database
    finally:
        await database.close()


def refused(settings: Settings) -> bool:
    """Whether the chat cannot run on its database; prints the reason."""
    from app.db.connector import pooler_refusal

    if sentence := asyncio.run(pooler_refusal(settings.libpq_url)):
        print(f"chat: {sentence}.", file=sys.stderr, flush=True)
    return bool(sentence)


def done(settings: Settings, work: Callable[[Session], Awaitable[T]], formatted: Callable[[T], str]) -> int:
    """Runs `work` in one transaction and prints `formatted` of its result. Returns the exit code: 0, or 1 after
    printing the error of a ChatError."""
    from app.domain.errors import ChatError

    async def once() -> T:
        async with opened(settings) as database, database.transaction() as session:
            return await work(session)

    try:
        found = asyncio.run(once())
    except ChatError as error:
        wrong = "".join(f" {field}: {message}" for field, message in getattr(error, "errors", ()))
        print(f"chat: {database_errors.sentence_of(error) or error.detail}{wrong}", file=sys.stderr)
        return 1
    print(formatted(found))
    return 0
