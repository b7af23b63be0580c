"""`chat users`, `chat suspend`, `chat restore` and `chat create-operator`: accounts, as operators see and change them.

Each look-up and each change is in the audit log, without an operator's name: `by` is null for a command.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import rich_click as click

from app.cli import output
from app.cli.commands import command, done, family, json_option, load_beside, user_id

if TYPE_CHECKING:
    from app.db import Session
    from app.domain.audit.schemas import AuditRecord
    from app.domain.operators.schemas import AccountPage, AccountRecord

MAX_FOUND: Final = 50
SHOWN_ENTRIES: Final = 10
COLUMNS: Final = (
    output.Column("id", 36),
    output.Column("name", 24),
    output.Column("state", 22),
    output.Column("created", 10),
    output.Column("conversations", 13, right=True),
    output.Column("logins", 6, right=True),
    output.Column("last used", gap=2),
)

who_argument = click.argument("who", help="The account's id or e-mail address.")


@family("users", panel="Look", help="Find accounts and show one of them. Look-ups are in the audit log.")
def users() -> None: ...


@users.command(
    "find",
    help=f"List accounts in any state, newest first, at most {MAX_FOUND}. No addresses are shown.",
    examples=["chat users find", "chat users find lovelace", "chat users find ada@example.org --json"],
)
@click.argument("search", required=False, help="An id, a complete e-mail address, or part of a name (default: all).")
@json_option
def find(search: str | None, as_json: bool) -> int:
    from app.domain.operators import queries

    async def found(session: Session) -> AccountPage:
        return await queries.accounts(session, None, search=search, limit=MAX_FOUND, cursor=None)

    def table(page: AccountPage) -> list[output.Part]:
        if not page.items:
            return ["No account was found."]
        more = [f"Only the newest {MAX_FOUND} are shown."] if page.next else []
        return [output.Table(COLUMNS, [_row(one) for one in page.items]), *more]

    return done(load_beside(), found, table, as_json=as_json)


@users.command(
    "show",
    help="Show one account and its newest entries in the audit log.",
    examples=["chat users show ada@example.org", "chat users show 0199a7b0-7000-7000-8000-00000000002c --json"],
)
@who_argument
@json_option
def show(who: str, as_json: bool) -> int:
    from app.domain.audit import queries as audit
    from app.domain.error_catalogue import user_not_found
    from app.domain.operators import queries

    async def shown(session: Session) -> dict[str, Any]:
        user = await user_id(session, who)
        entries = await audit.page(session, audit.Filters(subject=user), limit=SHOWN_ENTRIES, cursor=None)
        accounts = (await queries.accounts(session, None, search=str(user), limit=1, cursor=None)).items
        if not accounts:
            raise user_not_found()
        return {"account": accounts[0], "audit": entries.items}

    def facts(found: dict[str, Any]) -> str:
        return "\n".join([*_facts(found["account"]), *map(_entry, found["audit"])])

    return done(load_beside(), shown, facts, as_json=as_json)


@command(
    "suspend",
    panel="Act",
    help="Suspend an account: its logins end, its sockets close within two seconds. The reason is in the audit log.",
    examples=['chat suspend eve@example.org --reason "Spam in three groups"'],
)
@who_argument
@click.option("--reason", required=True, help="Why, in one line, for the audit log.")
def suspend(who: str, reason: str) -> int:
    from app.domain.accounts import suspension

    async def suspended(session: Session) -> None:
        await suspension.suspend(session, None, await user_id(session, who), reason=reason)

    return done(load_beside(), suspended, lambda _: f"{who} is suspended. `chat restore {who}` undoes it.")


@command(
    "restore",
    panel="Act",
    help="Restore a suspended account. Its owner must log in again.",
    examples=["chat restore eve@example.org"],
)
@who_argument
def restore(who: str) -> int:
    from app.domain.accounts import suspension

    async def restored(session: Session) -> None:
        await suspension.restore(session, None, await user_id(session, who))

    return done(load_beside(), restored, lambda _: f"{who} is restored and may log in.")


@command(
    "create-operator",
    panel="Act",
    help="Create an operator account, or make an account an operator. Prompts for the password or reads it from stdin.",
    examples=["chat create-operator ada@example.org", "pass show operator | chat create-operator ada@example.org"],
)
@click.argument("email", help="The account's address.")
@click.option("--first-name", default="Operator", show_default=True, help="First name of a new account.")
@click.option("--last-name", default="Root", show_default=True, help="Last name of a new account.")
def create_operator(email: str, first_name: str, last_name: str) -> int:
    from app.domain.accounts import profile
    from app.domain.auth.passwords import Passwords

    settings, password, passwords = load_beside(), _password(), Passwords()

    async def create(session: Session) -> bool:
        already = await profile.is_operator(session, email)
        await profile.create_operator(
            session, email=email, password=password, first_name=first_name, last_name=last_name, passwords=passwords
        )
        return already

    def sentence(already: bool) -> str:
        if already:
            return f"{email} was an operator already: the password is replaced, and all its logins have ended."
        return f"{email} is an operator now. Earlier logins of the account have ended."

    try:
        return done(settings, create, sentence)
    finally:
        passwords.close()


def _password() -> str:
    """Reads the password from the terminal or from the first line of standard input. It is never an argument: every
    account on the machine can read those."""
    import getpass

    if sys.stdin.isatty():
        return getpass.getpass("Password for the operator: ")
    return sys.stdin.readline().rstrip("\n")


def _state(one: AccountRecord) -> str:
    if one.closed_at:
        return "closed"
    state = "suspended" if one.suspended_at else "active" if one.activated else "not activated"
    return f"{state}, operator" if one.operator else state


def _row(one: AccountRecord) -> list[str]:
    return [
        str(one.id),
        f"{one.first_name} {one.last_name}",
        _state(one),
        f"{one.created_at:%Y-%m-%d}",
        f"{one.conversations:,}",
        f"{one.logins:,}",
        f"{one.last_used_at:%Y-%m-%d %H:%M}" if one.last_used_at else "–",
    ]


def _facts(one: AccountRecord) -> list[str]:
    since = one.closed_at or one.suspended_at
    last_used = f", last used {one.last_used_at:%Y-%m-%d %H:%M} UTC" if one.last_used_at else ""
    return [
        f"{one.first_name} {one.last_name} ({one.id})",
        f"  state          {_state(one)}" + (f" since {since:%Y-%m-%d %H:%M} UTC" if since else ""),
        f"  created        {one.created_at:%Y-%m-%d %H:%M} UTC",
        f"  conversations  {one.conversations:,}",
        f"  logins         {one.logins:,}{last_used}",
    ]


def _entry(one: AuditRecord) -> str:
    by = one.by or "the command line"
    details = "".join(f", {name}: {value}" for name, value in one.details.items())
    return f"  {one.at:%Y-%m-%d %H:%M} UTC  {one.action} by {by}{details}"


COMMANDS = (users, suspend, restore, create_operator)
