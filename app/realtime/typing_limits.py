"""Which `typing` frames are told: a few a second of each user, in conversations of up to 200 members.

One frame is told to every other socket of the conversation, so a frame that costs its sender nothing costs the room a
hundredfold. Typing may be lost: what is too much is dropped without an answer.
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
"""How long this process goes by what it knows of a conversation's size."""

MOST_KNOWN = 10_000


class TypingMarks:
    """Per process: a user with sockets at several processes may type at each."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._allowances = UserAllowances(TYPING_PER_SECOND)
        self._small: OrderedDict[UUID, tuple[bool, float]] = OrderedDict()

    async def counts(self, user: UUID, conversation: UUID) -> bool:
        """Whether this frame of `user` is to be told."""
        return self._allowances.of(user).take() and await self._is_small(conversation)

    async def _is_small(self, conversation: UUID) -> bool:
        small, until = self._small.get(conversation, (False, 0.0))
        if time.monotonic() < until:
            return small
        try:
            async with self._database.transaction() as session:
                small = await is_small(session, conversation)
        except ChatError:
            return False  # it may be lost
        self._small[conversation] = small, time.monotonic() + KNOWN_SECONDS
        self._small.move_to_end(conversation)
        if len(self._small) > MOST_KNOWN:
            self._small.popitem(last=False)
        return small
