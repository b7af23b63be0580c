"""Uses an invite: it must be open when a person registers, and one use is taken in the transaction that creates the
account.

With REQUIRE_ACTIVATION that is the transaction of the activation, days later: a mistyped address then costs no use, and
nobody can read from the uses whether an address had an account. The invite may have expired in between, but not have
been revoked or used up.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.audit import log
from app.domain.error_catalogue import invalid_invite, unknown_invite
from app.domain.invites.invite_tokens import digest_of_token
from app.domain.invites.schemas import InviteOffer
from app.domain.users.email_addresses import digest_of
from app.domain.users.models import Invite


async def find(session: AsyncSession, token: str) -> InviteOffer:
    """Returns the open invite of this token. Raises NotFound `invalid_invite`, whatever the reason."""
    row = (await session.execute(select(Invite.expires_at, Invite.note).where(_is_open(token)))).one_or_none()
    if row is None:
        raise unknown_invite()
    return InviteOffer(valid_until=row.expires_at, note=row.note)


async def require(session: AsyncSession, token: str, email: str) -> UUID:
    """Returns the id of the open invite of this token, which works for `email`. Takes no use.

    Raises:
        Forbidden: `invalid_invite`, whatever the reason.
    """
    for_this_address = or_(Invite.email_digest.is_(None), Invite.email_digest == digest_of(email))
    found = await session.scalar(select(Invite.id).where(_is_open(token), for_this_address))
    if found is None:
        raise invalid_invite()
    return found


async def redeem(session: AsyncSession, invite: UUID, *, account: UUID) -> None:
    """Takes one use, for the account that this transaction creates. Call it last: others who register with the same
    invite wait for its row until this transaction ends.

    Raises:
        Forbidden: `invalid_invite`: revoked or used up meanwhile.
    """
    # One statement: of two concurrent uses of the last one, the second waits for the row and finds it used up.
    taken = await session.scalar(
        update(Invite).where(Invite.id == invite, _has_uses()).values(uses=Invite.uses + 1).returning(Invite.id)
    )
    if taken is None:
        raise invalid_invite()
    await log.record_action(session, by=account, action="invite.used", subject=invite)


def _is_open(token: str) -> ColumnElement[bool]:
    return and_(Invite.digest == digest_of_token(token), Invite.expires_at > func.clock_timestamp(), _has_uses())


def _has_uses() -> ColumnElement[bool]:
    return and_(Invite.revoked_at.is_(None), Invite.uses < Invite.max_uses)
