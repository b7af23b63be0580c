"""`chat …`, the operators' command line. Each command imports its dependencies when it runs, so the others start fast.

Exit codes: 0 success, 1 failure (one sentence gives the reason), 2 invalid settings (one sentence for each problem) or
invalid usage.
"""

from __future__ import annotations

import sys

import rich_click as click

from app.cli import (
    accounts,
    broadcasts,
    completion,
    database,
    database_errors,
    deliveries,
    documents,
    output,
    postgres,
    queues,
    serve,
    status,
    throttles,
)
from app.cli.commands import FAILED, HELP, CommandFamily, complain
from app.settings import SettingsRefused

INTERRUPTED = 130


@click.group(
    "chat",
    cls=CommandFamily,
    context_settings={"help_option_names": ["-h", "--help"], "rich_help_config": HELP},
    help="Runs the chat. Settings come from the environment and .env.",
    panels=[click.RichCommandPanel(name) for name in ("Run", "Look", "Act", "Database", "Development")],
    examples=["chat up", "chat create-operator ada@example.org", "chat broadcast --help"],
)
@click.version_option(None, "--version", package_name="chat-backend", message="chat %(version)s")
# Set for the children of a process manager: they end with their parent.
@click.option("--tied", is_flag=True, hidden=True)
def chat(tied: bool) -> None:
    if tied:
        from app.local.processes import end_with_parent

        end_with_parent()


for module in (
    serve, status, queues, deliveries, accounts, broadcasts, throttles, database, postgres, documents, completion
):  # fmt: skip
    for each in module.COMMANDS:
        chat.add_command(each)


def main(arguments: list[str] | None = None) -> int:
    output.prepare()
    try:
        return int(chat.main(arguments, prog_name="chat", standalone_mode=False) or 0)
    except SettingsRefused as refused:
        for problem in refused.problems:
            complain(problem)
        return 2
    except click.UsageError as error:
        if error.ctx:
            print(error.ctx.get_usage().strip(), file=sys.stderr)
        where = f" See `{error.ctx.command_path} --help`." if error.ctx else ""
        complain(f"{error.format_message()}{where}")
        return error.exit_code
    except click.ClickException as error:
        complain(error.format_message())
        return error.exit_code
    except click.Abort as aborted:
        return INTERRUPTED if isinstance(aborted.__context__, KeyboardInterrupt) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if sentence := database_errors.sentence_of(error):
            complain(sentence)
            return FAILED
        raise
