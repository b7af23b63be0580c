"""What the commands share: their form, how they open the database, and how they end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from app.cli import database_errors, output
from app.settings import Settings, SettingsRefused, load

if TYPE_CHECKING:
    from uuid import UUID

    from app.db import Database, Session

T = TypeVar("T")
FAILED = 1
"""The exit code after a sentence on standard error; 2 is for settings and usage."""

HELP = {"theme": "default-slim", "force_terminal": None, "width": None, "max_width": 120}


class _WithExamples(click.RichCommand):
    """Its help and docs/commands.md show `examples`, each a line to type."""

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.examples = tuple(examples)

    def get_help(self, ctx: click.Context) -> str:
        return "\n".join(map(str.rstrip, super().get_help(ctx).splitlines()))

    # rich-click narrows the types of click's method, and so does this.
    def format_epilog(self, _: click.RichContext, formatter: click.RichHelpFormatter) -> None:  # type: ignore[override]
        from rich.text import Text

        if self.examples:
            formatter.write(Text("Examples:", style="bold"))
        for example in self.examples:
            formatter.write(Text(f"  {example}"), soft_wrap=True)  # a line to copy


class ChatCommand(_WithExamples):
    """A command."""


class CommandFamily(_WithExamples, click.RichGroup):  # type: ignore[misc] # as rich-click's own classes
    """A command with subcommands."""

    command_class = ChatCommand


def command(name: str, *, cls: type[ChatCommand] = ChatCommand, **attributes: Any) -> Callable[..., ChatCommand]:
    """Makes a function the command `name`; if it returns a number, that is the exit code. `panel`: its part of the
    help. `examples`: lines to type."""
    return click.command(name, cls=cls, **attributes)


def family(name: str, **attributes: Any) -> Callable[..., CommandFamily]:
    return click.group(name, cls=CommandFamily, **attributes)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


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
        complain(f"{sentence}.")
    return bool(sentence)


async def user_id(session: Session, who: str) -> UUID:
    """Returns the id of the user with this id or e-mail address. Raises NotFound `unknown_user`."""
    from uuid import UUID

    from app.domain.users.queries import owner_of

    try:
        return UUID(who)
    except ValueError:
        return await owner_of(session, who)


def complain(sentence: str) -> None:
    """Prints a sentence on standard error, as each refusal and warning of a command."""
    print(f"chat: {sentence}", file=sys.stderr, flush=True)


def done(
    settings: Settings,
    work: Callable[[Session], Awaitable[T]],
    formatted: Callable[[T], output.Part | list[output.Part]],
    *,
    as_json: bool = False,
) -> int:
    """Runs `work` in one transaction and prints its result, `formatted` or as JSON. Returns the exit code: 0, or 1
    after printing the error of a ChatError."""
    from app.domain.errors import ChatError

    async def once() -> T:
        async with opened(settings) as database, database.transaction() as session:
            return await work(session)

    try:
        found = asyncio.run(once())
    except ChatError as error:
        wrong = "".join(f" {field}: {message}" for field, message in getattr(error, "errors", ()))
        complain(f"{database_errors.sentence_of(error) or error.detail}{wrong}")
        return FAILED
    if as_json:
        output.show_json(found)
    else:
        output.show(formatted(found))
    return 0
