"""Examples of what operators ask and are told of the throttles."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from app.domain.throttling.views import (
    ThrottleException,
    ThrottleExceptionPage,
    ThrottlePolicies,
    ThrottlePolicyState,
)
from app.domain.views import Person

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

ANSWERS: Final[tuple[msgspec.Struct, ...]] = (
    ThrottlePolicies(items=[_policy]),
    _policy,
    _exception,
    ThrottleExceptionPage(items=[_exception], next=None),
)

BODIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "setThrottlePolicy": {"more": {"rate": "120/minute"}},
    "setThrottleException": {"more": {"rate": "600/minute"}},
}

PARAMETERS: Final[Mapping[str, tuple[str, Any]]] = {
    "policy": ("The policy's name, as throttled answers tell it.", "messages"),
    "user_id": ("The person's `id`.", str(HEDY.id)),
}
