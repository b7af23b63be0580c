"""`chat create-operator`: creates an operator's account."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from app.cli.commands import CommandLine, done, load_beside

if TYPE_CHECKING:
    from app.db import Session
    from app.domain.users.schemas import Profile


def add(command_line: CommandLine) -> None:
    command = command_line.add(
        "create-operator",
        create_operator,
        "create an operator account, or make an account an operator; prompts for the password, or reads it from stdin",
    )
    command.add_argument("email")
    command.add_argument("--first-name", default="Operator", help="first name of a new account (Operator)")
    command.add_argument("--last-name", default="Root", help="last name of a new account (Root)")


def create_operator(arguments: argparse.Namespace) -> int:
    from app.domain.accounts import profile
    from app.domain.auth.passwords import Passwords

    settings, password, passwords = load_beside(), _password(), Passwords()
    names = {"first_name": arguments.first_name, "last_name": arguments.last_name}

    async def create(session: Session) -> Profile:
        return await profile.create_operator(
            session, email=arguments.email, password=password, passwords=passwords, **names
        )

    try:
        return done(settings, create, lambda _: f"{arguments.email} is now an operator and must log in again.")
    finally:
        passwords.close()


def _password() -> str:
    """Reads the password from the terminal or from the first line of standard input. It is never an argument: every
    account on the machine can read those."""
    import getpass

    if sys.stdin.isatty():
        return getpass.getpass("Password for the operator: ")
    return sys.stdin.readline().rstrip("\n")
