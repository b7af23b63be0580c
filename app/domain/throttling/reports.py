"""Throttle reports for operators: attempts by hour, and the effect another limit would have had.

Counts arrive from Redis a few minutes late and are kept for two weeks (`usage`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Select, Subquery, cast, distinct, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.rates import Rate
from app.domain.throttling.models import ThrottleAttempts, ThrottleUsageBatch
from app.domain.throttling.policies import BY_USER, Policies
from app.domain.throttling.schemas import (
    PolicyAnalytics,
    RefusedSubject,
    ThrottleAnalytics,
    ThrottledHour,
    ThrottlePoint,
    ThrottleSuggestion,
    ThrottleWhatIf,
)
from app.domain.throttling.usage import HOUR, RETENTION
from app.domain.throttling.usage_counts import UNATTRIBUTED
from app.domain.throttling.what_if import Distribution
from app.domain.users.models import User
from app.domain.users.schemas import Person
from app.domain.validation import field_error, to_utc

DEFAULT_PERIOD: Final = timedelta(days=1)
"""Default length of a report's period."""

MAX_SUBJECTS: Final = 10

_IS_ATTRIBUTED: Final[ColumnElement[bool]] = ThrottleAttempts.subject != UNATTRIBUTED


class ReportPeriod:
    """From `since` to `until`, in whole steps of `step` seconds, limited to the retention of counts."""

    def __init__(self, now: datetime, since: datetime | None, until: datetime | None, step: int) -> None:
        end = now if until is None else to_utc(until, "to")
        if since is not None and to_utc(since, "from") >= end:
            raise field_error("from", "Must be before `to`.")
        oldest, newest = now - RETENTION - timedelta(seconds=step), now + timedelta(seconds=step)
        end = min(max(end, oldest), newest)
        begin = max(end - DEFAULT_PERIOD if since is None else min(since, end), oldest)
        self.since = _floor(begin, step)
        self.until = _floor(end + timedelta(seconds=step, microseconds=-1), step)

    def holds(self) -> ColumnElement[bool]:
        return (ThrottleAttempts.hour >= self.since) & (ThrottleAttempts.hour < self.until)


class Reports:
    """Every method raises NotFound `unknown_policy`, and Invalid if a time has no zone or `since` is not before
    `until`."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    async def analytics(
        self, session: AsyncSession, policy: str | None, since: datetime | None, until: datetime | None
    ) -> ThrottleAnalytics:
        """Returns the counts of one policy, or of all policies with attempts. The default period is the last day."""
        if policy is not None:
            await self._policies.in_force(session, policy)
        span = ReportPeriod(await _current_time(session), since, until, HOUR)
        hours = await _hours(session, span, policy)
        totals = {row.policy: row for row in await session.execute(_totals(span))}
        return ThrottleAnalytics(
            since=span.since,
            until=span.until,
            counted_until=await _counted_until(session),
            policies=[
                PolicyAnalytics(
                    policy=name,
                    attempts=sum(hour.attempts for hour in found),
                    refused=sum(hour.refused for hour in found),
                    subjects=totals[name].subjects,
                    unattributed=totals[name].unattributed,
                    hours=found,
                    most_refused=await _most_refused(session, span, name),
                )
                for name, found in hours.items()
            ],
        )

    async def what_if(
        self,
        session: AsyncSession,
        policy: str,
        *,
        limit: int | None,
        share: float,
        since: datetime | None,
        until: datetime | None,
    ) -> ThrottleWhatIf:
        """Returns what `limit` (default: the one in force) would have refused, in windows as long as the policy's.

        The suggestion is the lowest limit that affects at most `share` (0 ... 1) of the subjects with attempts.
        """
        rate = await self._policies.in_force(session, policy)
        span = ReportPeriod(await _current_time(session), since, until, max(rate.window, HOUR))
        found = await _distribution(session, span, policy, rate.window)
        limit = rate.limit if limit is None else limit
        suggested = _suggestion(found, rate, share)
        return ThrottleWhatIf(
            policy=policy,
            rate=str(rate),
            window=rate.window,
            since=span.since,
            until=span.until,
            counted_until=await _counted_until(session),
            subjects=found.subjects,
            attempts=found.attempts,
            unattributed=await _unattributed(session, span, policy, rate.window),
            highest=found.highest,
            limit=limit,
            refused=found.refused(limit),
            touched=found.touched(limit),
            curve=[
                ThrottlePoint(limit=point, refused=found.refused(point), subjects=found.touched(point))
                for point in found.steps(limit, rate.limit, *([suggested.limit] if suggested.limit else []))
            ],
            suggestion=suggested,
        )


def _suggestion(found: Distribution, rate: Rate, share: float) -> ThrottleSuggestion:
    if not found.subjects:
        return ThrottleSuggestion(limit=None, reason="Nothing was counted in this time: there is nothing to judge by.")
    limit = found.lowest_limit(share)
    touched, refused = found.touched(limit), found.refused(limit)
    reason = (
        f"{Rate(limit, rate.window)} is the lowest limit that would have touched at most {100 * share:.4g} % of those "
        f"who attempted something: {touched:,} of {found.subjects:,}. It would have refused {refused:,} of "
        f"{found.attempts:,} attempts ({100 * refused / found.attempts:.2f} %)."
    )
    if limit == found.highest:
        reason += " It is also the most that anybody attempted."
    return ThrottleSuggestion(limit=limit, reason=reason)


async def _current_time(session: AsyncSession) -> datetime:
    now: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return now


async def _counted_until(session: AsyncSession) -> datetime | None:
    newest: datetime | None = await session.scalar(select(func.max(ThrottleUsageBatch.minute)))
    return newest and newest + timedelta(minutes=1)


async def _hours(session: AsyncSession, span: ReportPeriod, policy: str | None) -> Mapping[str, list[ThrottledHour]]:
    query = select(
        ThrottleAttempts.policy,
        ThrottleAttempts.hour,
        _sum(ThrottleAttempts.attempts).label("attempts"),
        _sum(ThrottleAttempts.refused).label("refused"),
        _subjects(),
    ).where(span.holds())
    if policy is not None:
        query = query.where(ThrottleAttempts.policy == policy)
    query = query.group_by(ThrottleAttempts.policy, ThrottleAttempts.hour).order_by(
        ThrottleAttempts.policy, ThrottleAttempts.hour
    )
    found: dict[str, list[ThrottledHour]] = {}
    for row in await session.execute(query):
        found.setdefault(row.policy, []).append(
            ThrottledHour(hour=row.hour, attempts=row.attempts, refused=row.refused, subjects=row.subjects)
        )
    return found


def _totals(span: ReportPeriod) -> Select[*tuple[Any, ...]]:
    return (
        select(
            ThrottleAttempts.policy, _subjects(), _sum(ThrottleAttempts.attempts, ~_IS_ATTRIBUTED).label("unattributed")
        )
        .where(span.holds())
        .group_by(ThrottleAttempts.policy)
    )


async def _most_refused(session: AsyncSession, span: ReportPeriod, policy: str) -> list[RefusedSubject]:
    refused = _sum(ThrottleAttempts.refused)
    rows = (
        await session.execute(
            select(
                ThrottleAttempts.subject, _sum(ThrottleAttempts.attempts).label("attempts"), refused.label("refused")
            )
            .where(span.holds(), ThrottleAttempts.policy == policy, ThrottleAttempts.refused > 0, _IS_ATTRIBUTED)
            .group_by(ThrottleAttempts.subject)
            .order_by(refused.desc(), ThrottleAttempts.subject)
            .limit(MAX_SUBJECTS)
        )
    ).all()
    people = await _people(session, [row.subject for row in rows]) if policy in BY_USER else {}
    return [
        RefusedSubject(subject=row.subject, person=people.get(row.subject), attempts=row.attempts, refused=row.refused)
        for row in rows
    ]


async def _people(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, Person]:
    rows = await session.execute(select(User.id, User.first_name, User.last_name).where(User.id.in_(ids)))
    return {row.id: Person(id=row.id, first_name=row.first_name, last_name=row.last_name) for row in rows}


async def _distribution(session: AsyncSession, span: ReportPeriod, policy: str, window: int) -> Distribution:
    cells = _cells(span, policy, window)
    peaks = select(func.max(cells.c.n).label("n")).group_by(cells.c.subject).subquery()
    windows = await session.execute(select(cells.c.n, func.count().label("number")).group_by(cells.c.n))
    highest = await session.execute(select(peaks.c.n, func.count().label("number")).group_by(peaks.c.n))
    return Distribution({row.n: row.number for row in windows}, {row.n: row.number for row in highest})


def _cells(span: ReportPeriod, policy: str, window: int) -> Subquery:
    """Subquery (subject, n): the attempts of each subject in each window that has any."""
    counted = (span.holds(), ThrottleAttempts.policy == policy, ThrottleAttempts.period == window, _IS_ATTRIBUTED)
    if window < HOUR:
        each = func.unnest(ThrottleAttempts.windows).table_valued("n", name="each").render_derived().lateral()
        found = select(ThrottleAttempts.subject, each.c.n).select_from(ThrottleAttempts).join(each, true())
        return found.where(*counted, each.c.n > 0).subquery()
    condition = func.floor(func.extract("epoch", ThrottleAttempts.hour) / window)
    return (
        select(ThrottleAttempts.subject, _sum(ThrottleAttempts.attempts).label("n"))
        .where(*counted)
        .group_by(ThrottleAttempts.subject, condition)
        .subquery()
    )


async def _unattributed(session: AsyncSession, span: ReportPeriod, policy: str, window: int) -> int:
    found = await session.scalar(
        select(_sum(ThrottleAttempts.attempts)).where(
            span.holds(), ThrottleAttempts.policy == policy, ThrottleAttempts.period == window, ~_IS_ATTRIBUTED
        )
    )
    return int(found or 0)


def _subjects() -> ColumnElement[int]:
    return func.count(distinct(ThrottleAttempts.subject)).filter(_IS_ATTRIBUTED).label("subjects")


def _sum(numbers: Any, where: ColumnElement[bool] | None = None) -> ColumnElement[int]:
    total = func.sum(numbers) if where is None else func.sum(numbers).filter(where)
    return cast(func.coalesce(total, 0), BigInteger)


def _floor(time: datetime, step: int) -> datetime:
    seconds = int(time.timestamp())
    return datetime.fromtimestamp(seconds - seconds % step, UTC)
