"""`chat …`, the operators' command. Each verb imports what it needs when it is asked for, so that none pays for others.

Exit codes: 0 done, 1 could not be done (a sentence says why), 2 the settings are refused (a sentence each).
"""

from __future__ import annotations

import argparse
import sys

from app.cli import broadcasts, database, documents, operators, queues, serve, throttles
from app.cli.commands import CommandLine
from app.settings import SettingsRefused


def main(arguments: list[str] | None = None) -> int:
    asked = parser().parse_args(arguments)
    if asked.tied:
        from app.local.processes import tie

        tie()
    try:
        return int(asked.verb(asked) or 0)
    except SettingsRefused as refused:
        for problem in refused.problems:
            print(f"chat: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="chat", description="Runs the chat. Settings come from the environment and .env."
    )
    # For a process manager's children: end when it does.
    made.add_argument("--tied", action="store_true", help=argparse.SUPPRESS)
    verbs = CommandLine(made)
    for family in (serve, database, operators, queues, broadcasts, throttles, documents):
        family.add(verbs)
    return made
