"""What the throttles counted in one minute, on its way from Redis to Postgres: a flight, with a name of its own."""

from __future__ import annotations

import hmac
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from app.domain.throttling.policies import BY_USER

NOBODY: Final = UUID(int=0)
"""Stands for all that were not told apart, because there were too many in one minute."""


class Count(NamedTuple):
    """`attempts` of `subject` (empty: of many, not told apart) under `policy`; `refused` of them it refused.

    `window` is the policy's, `at` the begin of the minute or second counted in; both in seconds.
    """

    policy: str
    window: int
    subject: str
    at: int
    attempts: int
    refused: int


class UsageBatch(msgspec.Struct, frozen=True):
    """`id` is nobody else's; `minute` since 1970."""

    id: str
    minute: int
    counts: list[Count]


class Subjects:
    """Who was counted, as stored: a user's id; of anything else (a network, an address) a keyed digest and no more."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"chat.throttle.subjects.v1", "sha256")

    def stored(self, policy: str, subject: str) -> UUID:
        if not subject:
            return NOBODY
        if policy in BY_USER:
            try:
                return UUID(subject)
            except ValueError:
                pass  # counted under another name by another version of the program
        return UUID(bytes=hmac.digest(self._key, f"{policy}:{subject}".encode(), "sha256")[:16])
