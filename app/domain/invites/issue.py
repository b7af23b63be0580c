"""Creates and revokes invites, as operators: both are recorded in the audit log. Members cannot invite."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.audit import log
from app.domain.error_catalogue import invite_not_found, too_many_invites
from app.domain.invites import queries
from app.domain.invites.invite_tokens import InviteLinks, digest_of_token, new_token
from app.domain.invites.schemas import NewInvite
from app.domain.orm import uuid7
from app.domain.size_limits import MAX_OPEN_INVITES
from app.domain.users.email_addresses import check_email, digest_of
from app.domain.users.models import Invite
from app.domain.validation import Faults, clean_name, field_error

MAX_USES: Final = 1_000
MAX_HOURS: Final = 90 * 24
USUAL_HOURS: Final = 7 * 24
MAX_NOTE_LENGTH: Final = 200


async def create(
    session: AsyncSession,
    *,
    by: UUID | None,
    links: InviteLinks,
    max_uses: int = 1,
    expires_in_hours: int = USUAL_HOURS,
    note: str = "",
    email: str | None = None,
) -> NewInvite:
    """Creates an invite; only its answer has the token. `by` is None for the command line.

    `note` is shown to the people who open the link. With `email` the invite works for that address only, once.

    Raises:
        Invalid: a field is not valid.
        Conflict: `too_many_invites` are open.
    """
    faults = Faults()
    with faults:
        _check_range(max_uses, "max_uses", MAX_USES)
    with faults:
        _check_range(expires_in_hours, "expires_in_hours", MAX_HOURS)
    with faults:
        note = clean_name(note, "note", MAX_NOTE_LENGTH) if note else ""
    with faults:
        email = None if email is None else check_email(email)
    with faults:
        if email is not None and max_uses > 1:
            raise field_error("max_uses", "Must be 1 for an invite of one address.")
    faults.raise_all()
    await _require_room(session)
    invite, token = uuid7(), new_token()
    await session.execute(
        insert(Invite).values(
            id=invite,
            digest=digest_of_token(token),
            max_uses=max_uses,
            note=note,
            # The address itself is not needed to compare it, and no list of invites can then reveal it.
            email_digest=None if email is None else digest_of(email),
            created_by=by,
            expires_at=func.clock_timestamp() + timedelta(hours=expires_in_hours),
        )
    )
    facts = {"max_uses": max_uses, "expires_in_hours": expires_in_hours, "for_one_address": email is not None}
    await log.record_action(session, by=by, action="invite.created", subject=invite, details=facts)
    record = await queries.show(session, invite)
    return NewInvite(**msgspec.structs.asdict(record), token=token, link=links.to(token))


async def revoke(session: AsyncSession, invite: UUID, *, by: UUID | None) -> None:
    """Ends the invite at once, also for registrations that wait for their activation. A second time changes nothing.

    Raises:
        NotFound: there is no such invite.
    """
    revoked = await session.scalar(
        update(Invite)
        .where(Invite.id == invite, Invite.revoked_at.is_(None))
        .values(revoked_at=func.clock_timestamp())
        .returning(Invite.id)
    )
    if revoked is not None:
        await log.record_action(session, by=by, action="invite.revoked", subject=invite)
    elif await session.scalar(select(Invite.id).where(Invite.id == invite)) is None:
        raise invite_not_found()


def _check_range(value: int, field: str, most: int) -> None:
    if not 1 <= value <= most:
        raise field_error(field, f"Must be between 1 and {most:,}.")


async def _require_room(session: AsyncSession) -> None:
    # Two creations at the same moment may exceed the limit by one; it only keeps the list readable.
    if (await session.scalar(count_open()) or 0) >= MAX_OPEN_INVITES:
        raise too_many_invites()


def count_open() -> Select[int]:
    """Selects the number of open invites."""
    is_open = (Invite.revoked_at.is_(None), Invite.uses < Invite.max_uses, Invite.expires_at > func.clock_timestamp())
    return select(func.count()).select_from(Invite).where(*is_open)
