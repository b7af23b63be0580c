"""What operators see of the throttles. Rates are written as people say them, `60/minute`."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from app.domain.schemas import View
from app.domain.users.schemas import Person


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


class ThrottledHour(View, frozen=True, kw_only=True):
    """One hour of a policy. `subjects` is how many people, or networks, attempted something."""

    hour: datetime
    attempts: int
    refused: int
    subjects: int


class RefusedSubject(View, frozen=True, kw_only=True):
    """Who was refused the most. `subject` is a digest, and `person` null, under a policy that does not count people."""

    subject: UUID
    person: Person | None
    attempts: int
    refused: int


class PolicyAnalytics(View, frozen=True, kw_only=True):
    """One policy. `unattributed` are attempts of too many different people in one minute to tell them apart."""

    policy: str
    attempts: int
    refused: int
    subjects: int
    unattributed: int
    hours: list[ThrottledHour]
    most_refused: list[RefusedSubject]


class ThrottleAnalytics(View, frozen=True, kw_only=True):
    """Whole hours, from `since` to `until`. `counted_until`: up to where counts have arrived, about three minutes ago;
    null: none have."""

    since: datetime
    until: datetime
    counted_until: datetime | None
    policies: list[PolicyAnalytics]


class ThrottlePoint(View, frozen=True, kw_only=True):
    """What a limit would have refused, and to how many."""

    limit: int
    refused: int
    subjects: int


class ThrottleSuggestion(View, frozen=True, kw_only=True):
    """A limit, and why; null when there is nothing to judge by."""

    limit: int | None
    reason: str


class ThrottleWhatIf(View, frozen=True, kw_only=True):
    """What `limit` would have done from `since` to `until`: `refused` of the `attempts`, something to `touched` of the
    `subjects`. `rate` is in force, `window` its length in seconds, and `highest` the most anybody attempted in one."""

    policy: str
    rate: str
    window: int
    since: datetime
    until: datetime
    counted_until: datetime | None
    subjects: int
    attempts: int
    unattributed: int
    highest: int
    limit: int
    refused: int
    touched: int
    curve: list[ThrottlePoint]
    suggestion: ThrottleSuggestion
