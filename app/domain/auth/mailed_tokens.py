"""Single-use tokens sent by mail: 256 random bits, stored as a digest, valid for a limited time.

They are minted by the task that sends the mail, just before it is sent, so no queue or request ever contains one.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from secrets import token_urlsafe
from typing import Final, Literal
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.error_catalogue import invalid_mailed_token
from app.domain.orm import AnyRow
from app.domain.users.models import MailedTokenRow, User

Purpose = Literal["activation", "password", "email", "login"]

LIFETIMES: Final[dict[Purpose, timedelta]] = {
    "activation": timedelta(days=3),
    "password": timedelta(hours=1),
    "email": timedelta(days=1),
    "login": timedelta(hours=1),
}
RANDOM_BYTES: Final = 32
MAX_TOKEN_LENGTH: Final = 128

_COLUMNS = (MailedTokenRow.user_id, MailedTokenRow.registration_id, MailedTokenRow.email, MailedTokenRow.credentials)


class ActiveToken(msgspec.Struct, frozen=True):
    """What a token is for: an account (while its `credentials` match) or a registration, and an address."""

    user: UUID | None
    registration: UUID | None
    email: str
    credentials: int


async def mint(
    session: AsyncSession,
    purpose: Purpose,
    *,
    user: UUID | None = None,
    registration: UUID | None = None,
    email: str = "",
    credentials: int = 0,
    token: str = "",
) -> str:
    """Creates a token, to be mailed and stored nowhere. It is valid while the account's `credentials` are unchanged.

    `token` replaces the generated one; it must have at least 80 random bits.
    """
    token = token or token_urlsafe(RANDOM_BYTES)
    await session.execute(
        insert(MailedTokenRow).values(
            digest=_digest(token),
            purpose=purpose,
            user_id=user,
            registration_id=registration,
            email=email,
            credentials=credentials,
            expires_at=func.clock_timestamp() + LIFETIMES[purpose],
        )
    )
    return token


async def find(session: AsyncSession, token: str, purpose: Purpose) -> ActiveToken:
    """Returns what the token is for without spending it, before costly work. Raises Invalid `invalid_mailed_token`."""
    return _active_token((await session.execute(select(*_COLUMNS).where(_is_valid(token, purpose)))).one_or_none())


async def spend(session: AsyncSession, token: str, purpose: Purpose) -> ActiveToken:
    """Spends the token and returns what it is for. Raises Invalid `invalid_mailed_token`."""
    # One statement: of two concurrent uses, the second waits for the row and finds it deleted.
    spent = await session.execute(delete(MailedTokenRow).where(_is_valid(token, purpose)).returning(*_COLUMNS))
    return _active_token(spent.one_or_none())


async def is_valid(session: AsyncSession, token: str, purpose: Purpose, user: UUID) -> bool:
    """Returns whether the token is one of `user`'s and can still be spent."""
    good = select(exists().where(_is_valid(token, purpose), MailedTokenRow.user_id == user))
    return bool(await session.scalar(good))


async def spend_owned(session: AsyncSession, token: str, purpose: Purpose, user: UUID) -> bool:
    """Spends the token if it is one of `user`'s, and returns whether it did."""
    spent = await session.scalar(
        delete(MailedTokenRow)
        .where(_is_valid(token, purpose), MailedTokenRow.user_id == user)
        .returning(MailedTokenRow.user_id)
    )
    return spent is not None


async def void_all(session: AsyncSession, user: UUID) -> None:
    """Voids all tokens of an account, including those requested with an old password."""
    await session.execute(delete(MailedTokenRow).where(MailedTokenRow.user_id == user))


def _is_valid(token: str, purpose: Purpose) -> ColumnElement[bool]:
    return and_(
        MailedTokenRow.digest == _digest(token),
        MailedTokenRow.purpose == purpose,
        MailedTokenRow.expires_at > func.clock_timestamp(),
        or_(
            MailedTokenRow.user_id.is_(None),
            exists().where(User.id == MailedTokenRow.user_id, User.credentials == MailedTokenRow.credentials),
        ),
    )


def _active_token(row: AnyRow | None) -> ActiveToken:
    if row is None:
        raise invalid_mailed_token()
    return ActiveToken(row.user_id, row.registration_id, row.email, row.credentials)


def _digest(token: str) -> bytes:
    # A plain digest suffices: unlike a password, 256 random bits cannot be guessed.
    return hashlib.sha256(token.strip()[:MAX_TOKEN_LENGTH].encode("utf-8", "surrogatepass")).digest()
