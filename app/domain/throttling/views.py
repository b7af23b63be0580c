"""What operators see of the throttles. Rates are written as people say them, `60/minute`."""

from __future__ import annotations

from datetime import datetime

from app.domain.views import Person, View


class ThrottlePolicyState(View, frozen=True, kw_only=True):
    """One policy. `rate` is in force, `default` what the settings say.

    `changed_from`, `changed_by` and `changed_at` tell of the last change; null: there was none, or for `changed_by`
    the command line. `exceptions` is how many users have a rate of their own; null: it does not count by user.
    """

    policy: str
    default: str
    rate: str
    changed_from: str | None
    changed_by: Person | None
    changed_at: datetime | None
    exceptions: int | None


class ThrottlePolicies(View, frozen=True, kw_only=True):
    items: list[ThrottlePolicyState]


class ThrottleException(View, frozen=True, kw_only=True):
    """One user's own rate; the other fields as in the state of a policy."""

    policy: str
    user: Person
    rate: str
    changed_from: str
    changed_by: Person | None
    changed_at: datetime


class ThrottleExceptionPage(View, frozen=True, kw_only=True):
    items: list[ThrottleException]
    next: str | None
