"""A batch: the throttle counts of one minute, transferred from Redis to Postgres under a unique id."""

from __future__ import annotations

import hmac
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from app.domain.throttling.policies import BY_USER

UNATTRIBUTED: Final = UUID(int=0)
"""Stands for the subjects not counted separately, because there were too many in one minute."""


class Count(NamedTuple):
    """`attempts` of `subject` (empty: many, not counted separately) under `policy`, of which `refused` were rejected.

    `window` is the policy's window, `at` the start of the counted minute or second; both in seconds.
    """

    policy: str
    window: int
    subject: str
    at: int
    attempts: int
    refused: int


class UsageBatch(msgspec.Struct, frozen=True):
    """`id` is unique. `minute` is in minutes since 1970."""

    id: str
    minute: int
    counts: list[Count]


class Subjects:
    """Maps counted subjects to stored ids: a user's id, or only a keyed digest of anything else (network, address)."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"chat.throttle.subjects.v1", "sha256")

    def stored(self, policy: str, subject: str) -> UUID:
        if not subject:
            return UNATTRIBUTED
        if policy in BY_USER:
            try:
                return UUID(subject)
            except ValueError:
                pass  # not a user's id: counted by another version of the program
        return UUID(bytes=hmac.digest(self._key, f"{policy}:{subject}".encode(), "sha256")[:16])
