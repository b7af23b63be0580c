"""Views of throttles for operators. Rates are written as in `60/minute`."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from app.domain.schemas import View
from app.domain.users.schemas import Person


class ThrottlePolicyState(View, frozen=True, kw_only=True):
    """One policy. `rate` is in force, `default` is the rate in the settings.

    `changed_from`, `changed_by` and `changed_at` describe the last change and are null if there was none; `changed_by`
    is also null for the command line. `exceptions` counts users with their own rate; null: not counted by user.
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
    """One user's own rate. The other fields are those of a policy's state."""

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
    """One hour of a policy. `subjects` is the number of users, or networks, with attempts."""

    hour: datetime
    attempts: int
    refused: int
    subjects: int


class RefusedSubject(View, frozen=True, kw_only=True):
    """A subject refused most often. If the policy does not count users, `subject` is a digest and `person` null."""

    subject: UUID
    person: Person | None
    attempts: int
    refused: int


class PolicyAnalytics(View, frozen=True, kw_only=True):
    """One policy. `unattributed` are attempts in minutes with too many subjects to count each separately."""

    policy: str
    attempts: int
    refused: int
    subjects: int
    unattributed: int
    hours: list[ThrottledHour]
    most_refused: list[RefusedSubject]


class ThrottleAnalytics(View, frozen=True, kw_only=True):
    """Whole hours, from `since` to `until`. `counted_until`: end of the counts received, about three minutes ago;
    null if none."""

    since: datetime
    until: datetime
    counted_until: datetime | None
    policies: list[PolicyAnalytics]


class ThrottlePoint(View, frozen=True, kw_only=True):
    """The attempts that a limit would have refused, and the number of subjects affected."""

    limit: int
    refused: int
    subjects: int


class ThrottleSuggestion(View, frozen=True, kw_only=True):
    """A suggested limit and the reason. `limit` is null if nothing was counted."""

    limit: int | None
    reason: str


class ThrottleWhatIf(View, frozen=True, kw_only=True):
    """The effect of `limit` from `since` to `until`: it would have refused `refused` of the `attempts` and affected
    `touched` of the `subjects`. `rate` is in force, `window` its window in seconds. `highest`: most attempts of any
    subject in one window."""

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
