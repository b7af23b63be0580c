"""`chat create-operator`: the account of somebody who looks after the chat."""

from __future__ import annotations

import argparse
import sys

from app.cli.verbs import Verbs, load_beside, opened
from app.settings import Settings


def add(verbs: Verbs) -> None:
    verb = verbs.add(
        "create-operator",
        create_operator,
        "an operator's account; the password is asked for, or read from the input",
    )
    verb.add_argument("email")
    verb.add_argument("--first-name", default="Operator", help="of a new account (Operator)")
    verb.add_argument("--last-name", default="Root", help="of a new account (Root)")


def create_operator(asked: argparse.Namespace) -> int:
    import asyncio

    from app.domain.errors import ChatError

    settings = load_beside()
    password = _password()
    try:
        asyncio.run(_create_operator(settings, asked, password))
    except ChatError as error:
        wrong = "".join(f" {field}: {message}" for field, message in getattr(error, "errors", ()))
        print(f"chat: {error.detail}{wrong}", file=sys.stderr)
        return 1
    print(f"{asked.email} is an operator now, and logs in anew.")
    return 0


async def _create_operator(settings: Settings, asked: argparse.Namespace, password: str) -> None:
    from app.domain.users import accounts
    from app.domain.users.passwords import Passwords

    passwords = Passwords()
    names = {"first_name": asked.first_name, "last_name": asked.last_name}
    try:
        async with opened(settings) as database, database.transaction() as session:
            await accounts.create_operator(session, email=asked.email, password=password, passwords=passwords, **names)
    finally:
        passwords.close()


def _password() -> str:
    """Typed, or the first line of the input; never an argument, which every account of the machine can read."""
    import getpass

    if sys.stdin.isatty():
        return getpass.getpass("Password for the operator: ")
    return sys.stdin.readline().rstrip("\n")
