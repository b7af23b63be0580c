"""`chat invite create`, `list` and `revoke`: links by which people register if REGISTRATION is `invite`.

In the audit log `by` is null for a command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

import rich_click as click

from app.cli import output
from app.cli.commands import done, family, json_option, load_beside

if TYPE_CHECKING:
    from app.db import Session
    from app.domain.invites.schemas import InvitePage, InviteRecord, NewInvite

HOURS_OF_A_DAY: Final = 24
LISTED: Final = 50
COLUMNS: Final = (
    output.Column("id", 36),
    output.Column("state", 8),
    output.Column("used", 9, right=True),
    output.Column("expires (UTC)", 16, gap=2),
    output.Column("for", 11),
    output.Column("note", gap=2),
)
UNREAD: Final = {
    "open": "REGISTRATION is open here: people register without an invite.",
    "closed": "REGISTRATION is closed here: the invite works once it is set to invite.",
}


@family("invite", panel="Act", help="Invites: links by which people register if REGISTRATION is invite.")
def invite() -> None: ...


@invite.command(
    "create",
    help="Create an invite and print its link, which cannot be shown again. A use is an account created with it.",
    examples=["chat invite create", 'chat invite create --uses 20 --days 3 --note "For the reading club" --json'],
)
@click.option("--uses", type=click.IntRange(min=1), default=1, show_default=True, help="How many may register.")
@click.option("--days", type=click.IntRange(min=1), default=7, show_default=True, help="Days until it expires.")
@click.option("--note", default="", help="A line that the people who open the link see.")
@click.option("--email", help="The invite works for this address only, once.")
@json_option
def create(uses: int, days: int, note: str, email: str | None, as_json: bool) -> int:
    from app.domain.invites import issue
    from app.domain.invites.invite_tokens import InviteLinks

    settings = load_beside()
    links = InviteLinks(settings.public_url, settings.frontend_url)

    async def created(session: Session) -> NewInvite:
        return await issue.create(
            session,
            by=None,
            links=links,
            max_uses=uses,
            expires_in_hours=days * HOURS_OF_A_DAY,
            note=note,
            email=email,
        )

    def shown(made: NewInvite) -> list[output.Part]:
        whom = "one address" if made.for_one_address else _people(made.max_uses)
        ends = f"{made.expires_at:%Y-%m-%d %H:%M} UTC"
        facts = f"For {whom}, until {ends}. `chat invite revoke {made.id}` ends it."
        hint = UNREAD.get(settings.registration)
        return [made.link, facts, *([hint] if hint else [])]

    return done(settings, created, shown, as_json=as_json)


@invite.command(
    "list",
    help=f"List the newest {LISTED} invites in any state, without their links.",
    examples=["chat invite list", "chat invite list --json"],
)
@json_option
def listing(as_json: bool) -> int:
    from app.domain.invites import queries

    async def found(session: Session) -> InvitePage:
        return await queries.listing(session, limit=LISTED, cursor=None)

    def table(page: InvitePage) -> list[output.Part]:
        if not page.items:
            return ["There are no invites."]
        more = [f"Only the newest {LISTED} are shown."] if page.next else []
        return [output.Table(COLUMNS, [_row(one) for one in page.items]), *more]

    return done(load_beside(), found, table, as_json=as_json)


@invite.command(
    "revoke",
    help="Revoke an invite: it ends at once, also for registrations that wait for their activation.",
    examples=["chat invite revoke 0199a7b0-7000-7000-8000-00000000002d"],
)
@click.argument("which", metavar="ID", type=click.UUID, help="The invite's id, as `chat invite list` shows it.")
def revoke(which: UUID) -> int:
    from app.domain.invites import issue

    async def revoked(session: Session) -> None:
        await issue.revoke(session, which, by=None)

    return done(load_beside(), revoked, lambda _: "The invite is revoked. Accounts created with it stay.")


def _people(uses: int) -> str:
    return "one account" if uses == 1 else f"{uses:,} accounts"


def _row(one: InviteRecord) -> list[str]:
    return [
        str(one.id),
        one.state.replace("_", " "),
        f"{one.uses:,}/{one.max_uses:,}",
        f"{one.expires_at:%Y-%m-%d %H:%M}",
        "one address" if one.for_one_address else "anyone",
        one.note or "–",
    ]


COMMANDS = (invite,)
