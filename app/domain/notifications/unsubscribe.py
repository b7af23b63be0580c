"""Unsubscribing without a login: the token in a mail is signed, not stored, and allows only this."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.conversations.models import Membership
from app.domain.error_catalogue import invalid_unsubscribe_token
from app.domain.notifications.models import Subscription

SIGNATURE_BYTES: Final = 16
LENGTH: Final = 32 + SIGNATURE_BYTES


class UnsubscribeTokens:
    """Signs with a key derived from `secret`, and also accepts signatures of the previous secret."""

    def __init__(self, secret: str, previous: str = "") -> None:
        self._keys = [
            hmac.digest(value.encode(), b"chat.unsubscribe.v1", "sha256") for value in (secret, previous) if value
        ]

    def token(self, user: UUID, conversation: UUID) -> str:
        return base64.urlsafe_b64encode(self._signed(self._keys[0], user.bytes + conversation.bytes)).decode()

    async def apply(self, session: AsyncSession, token: str) -> None:
        """Stops mails about that conversation to that user. Idempotent.

        Raises:
            Invalid: `invalid_mailed_token`.
        """
        user, conversation = self._read(token)
        if await session.get(Membership, (conversation, user)) is None:
            raise invalid_unsubscribe_token()
        await session.execute(
            upsert(Subscription)
            .values(conversation_id=conversation, user_id=user, mails=False)
            .on_conflict_do_update(index_elements=["conversation_id", "user_id"], set_={"mails": False})
        )

    def _read(self, token: str) -> tuple[UUID, UUID]:
        try:
            raw = base64.urlsafe_b64decode(token.strip().encode("ascii"))
        except (binascii.Error, UnicodeEncodeError, ValueError) as error:
            raise invalid_unsubscribe_token() from error
        signed = raw[:32]
        if len(raw) != LENGTH or not any(hmac.compare_digest(self._signed(key, signed), raw) for key in self._keys):
            raise invalid_unsubscribe_token()
        return UUID(bytes=signed[:16]), UUID(bytes=signed[16:])

    @staticmethod
    def _signed(key: bytes, content: bytes) -> bytes:
        return content + hmac.digest(key, content, "sha256")[:SIGNATURE_BYTES]
