"""Limits `typing` frames: a few a second per user, in conversations of up to 200 members.

Each is delivered to every other socket of the conversation, so one cheap frame causes hundreds of writes. Typing may be
lost: frames beyond the limit are dropped without an answer.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from uuid import UUID

from app.db import Database
from app.domain.conversations.presence_audience import is_small
from app.domain.errors import ChatError
from app.realtime.connection.frame_limits import TYPING_PER_SECOND, UserAllowances

KNOWN_SECONDS = 30.0
"""How long this process caches whether a conversation is small."""

MAX_KNOWN = 10_000


class TypingLimits:
    """Counts per process: a user with sockets in several processes has the limit in each."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._allowances = UserAllowances(TYPING_PER_SECOND)
        self._small: OrderedDict[UUID, tuple[bool, float]] = OrderedDict()

    async def allows(self, user: UUID, conversation: UUID) -> bool:
        """Whether to deliver this `typing` frame of `user`. Counts it against the limit."""
        return self._allowances.bucket_of(user).take() and await self._is_small(conversation)

    async def _is_small(self, conversation: UUID) -> bool:
        small, until = self._small.get(conversation, (False, 0.0))
        if time.monotonic() < until:
            return small
        try:
            async with self._database.transaction() as session:
                small = await is_small(session, conversation)
        except ChatError:
            return False  # typing may be lost
        self._small[conversation] = small, time.monotonic() + KNOWN_SECONDS
        self._small.move_to_end(conversation)
        if len(self._small) > MAX_KNOWN:
            self._small.popitem(last=False)
        return small
