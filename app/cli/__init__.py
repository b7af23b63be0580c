"""`chat …`, the operators' command line. Each command imports its dependencies when it runs, so the others start fast.

Exit codes: 0 success, 1 failure (one sentence gives the reason), 2 invalid settings (one sentence for each problem).
"""

from __future__ import annotations

import argparse
import sys

from app.cli import broadcasts, database, database_errors, documents, operators, output, queues, serve, throttles
from app.cli.commands import CommandLine
from app.settings import SettingsRefused


def main(arguments: list[str] | None = None) -> int:
    output.prepare()
    parsed = parser().parse_args(arguments)
    if parsed.tied:
        from app.local.processes import end_with_parent

        end_with_parent()
    try:
        return int(parsed.command(parsed) or 0)
    except SettingsRefused as refused:
        for problem in refused.problems:
            print(f"chat: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if sentence := database_errors.sentence_of(error):
            print(f"chat: {sentence}", file=sys.stderr, flush=True)
            return 1
        raise


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="chat", description="Runs the chat. Settings come from the environment and .env."
    )
    # Set for the children of a process manager: they end with their parent.
    made.add_argument("--tied", action="store_true", help=argparse.SUPPRESS)
    command_line = CommandLine(made)
    for family in (serve, database, operators, queues, broadcasts, throttles, documents):
        family.add(command_line)
    return made
