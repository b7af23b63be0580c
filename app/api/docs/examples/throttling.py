"""Examples of operator requests and responses about throttles."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from app.domain.throttling.schemas import (
    PolicyAnalytics,
    RefusedSubject,
    ThrottleAnalytics,
    ThrottledHour,
    ThrottleException,
    ThrottleExceptionPage,
    ThrottlePoint,
    ThrottlePolicies,
    ThrottlePolicyState,
    ThrottleSuggestion,
    ThrottleWhatIf,
)
from app.domain.users.schemas import Person

TEN: Final = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
ROOT: Final = Person(id=UUID("0199a7b0-7000-7000-8000-000000000001"), first_name="Operator", last_name="Root")
HEDY: Final = Person(id=UUID("0199a7b0-7000-7000-8000-00000000000d"), first_name="Hedy", last_name="Lamarr")

_policy = ThrottlePolicyState(
    policy="messages",
    default="60/minute",
    rate="120/minute",
    changed_from="60/minute",
    changed_by=ROOT,
    changed_at=TEN,
    exceptions=1,
)
_exception = ThrottleException(
    policy="messages",
    user=HEDY,
    rate="600/minute",
    changed_from="120/minute",
    changed_by=ROOT,
    changed_at=TEN,
)

_analytics = PolicyAnalytics(
    policy="messages",
    attempts=6_120,
    refused=110,
    subjects=412,
    unattributed=0,
    hours=[ThrottledHour(hour=TEN - timedelta(hours=1), attempts=6_120, refused=110, subjects=412)],
    most_refused=[RefusedSubject(subject=HEDY.id, person=HEDY, attempts=260, refused=80)],
)
_what_if = ThrottleWhatIf(
    policy="messages",
    rate="60/minute",
    window=60,
    since=TEN - timedelta(days=1),
    until=TEN,
    counted_until=TEN - timedelta(minutes=3),
    subjects=412,
    attempts=6_120,
    unattributed=0,
    highest=140,
    limit=60,
    refused=110,
    touched=3,
    curve=[
        ThrottlePoint(limit=10, refused=940, subjects=51),
        ThrottlePoint(limit=45, refused=160, subjects=4),
        ThrottlePoint(limit=60, refused=110, subjects=3),
        ThrottlePoint(limit=140, refused=0, subjects=0),
    ],
    suggestion=ThrottleSuggestion(
        limit=45,
        reason=(
            "45/minute is the lowest limit that would have touched at most 1 % of those who attempted something: "
            "4 of 412. It would have refused 160 of 6,120 attempts (2.61 %)."
        ),
    ),
)

ANSWERS: Final[tuple[msgspec.Struct, ...]] = (
    ThrottlePolicies(items=[_policy]),
    _policy,
    _exception,
    ThrottleExceptionPage(items=[_exception], next=None),
    ThrottleAnalytics(
        since=TEN - timedelta(hours=1), until=TEN, counted_until=TEN - timedelta(minutes=3), policies=[_analytics]
    ),
    _what_if,
)

BODIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "setThrottlePolicy": {"more": {"rate": "120/minute"}},
    "setThrottleException": {"more": {"rate": "600/minute"}},
}

PARAMETERS: Final[Mapping[str, tuple[str, Any]]] = {
    "policy": ("The policy's name, as in 429 responses.", "messages"),
    "user_id": ("The user's `id`.", str(HEDY.id)),
}
