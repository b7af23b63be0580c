"""Changes policies at run time, for all users or for one. Every process applies a change within two seconds.

Changes are serialized by a lock, so that the recorded previous rate is correct and the number of exceptions stays small
enough for every process to hold them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.domain import locks
from app.domain.audit import log
from app.domain.cursors import Keyset, UserKey
from app.domain.error_catalogue import (
    invalid,
    policy_not_found,
    policy_without_exceptions,
    too_many_exceptions,
    user_not_found,
)
from app.domain.events import PoliciesChanged, record
from app.domain.locks import AdvisoryLock
from app.domain.orm import AnyRow, bucket_now
from app.domain.rates import Rate
from app.domain.size_limits import MAX_THROTTLE_EXCEPTIONS
from app.domain.throttling.models import ThrottlePolicy
from app.domain.throttling.overrides import REMOVAL_RETENTION_SECONDS
from app.domain.throttling.schemas import (
    ThrottleException,
    ThrottleExceptionPage,
    ThrottlePolicies,
    ThrottlePolicyState,
)
from app.domain.users.models import User
from app.domain.users.schemas import Person

BY_USER: Final = frozenset({"messages", "user", "requests", "renames", "additions", "added"})
"""Policies that count by user and so allow exceptions for single users."""

MAX_DELETED: Final = 10_000


_EXCEPTIONS = Keyset("throttle exception", UserKey)


class Policies:
    """`defaults` are the rates in the settings, by policy name."""

    def __init__(self, defaults: Mapping[str, Rate]) -> None:
        self._defaults = dict(defaults)

    async def in_force(self, session: AsyncSession, policy: str) -> Rate:
        """Returns the rate for users without an exception. Raises NotFound `unknown_policy`."""
        self._require_known(policy)
        row = await self._row(session, policy, None)
        return self._defaults[policy] if row is None or row.rate is None else Rate.parse(row.rate)

    async def report(self, session: AsyncSession) -> ThrottlePolicies:
        """Returns all policies, in the order of the settings."""
        rows = await session.execute(_changes().where(ThrottlePolicy.user_id.is_(None)))
        changed = {row.policy: row for row in rows}
        own = await session.execute(
            select(ThrottlePolicy.policy, func.count().label("number"))
            .where(_IS_EXCEPTION)
            .group_by(ThrottlePolicy.policy)
        )
        numbers: dict[str, int] = {row.policy: row.number for row in own}
        return ThrottlePolicies(
            items=[self._state(policy, changed.get(policy), numbers.get(policy, 0)) for policy in self._defaults]
        )

    async def exceptions(
        self, session: AsyncSession, policy: str, *, limit: int, cursor: str | None
    ) -> ThrottleExceptionPage:
        """Returns the users with a rate of their own.

        Raises:
            NotFound `unknown_policy`. Invalid: the cursor belongs to another list.
        """
        self._require_known(policy, by_user=True)
        query = _changes().where(_IS_EXCEPTION, ThrottlePolicy.policy == policy)
        if (after := _EXCEPTIONS.key(cursor)) is not None:
            query = query.where(ThrottlePolicy.user_id > after.user)
        rows = (await session.execute(query.order_by(ThrottlePolicy.user_id).limit(limit + 1))).all()
        shown, following = _EXCEPTIONS.page(rows, limit, lambda row: UserKey(row.user_id))
        return ThrottleExceptionPage(items=[_exception(row) for row in shown], next=following)

    async def set(self, session: AsyncSession, by: UUID | None, policy: str, rate: str) -> ThrottlePolicyState:
        """Sets the rate (such as `60/minute`) for all users without an exception. `by` None: the command line.

        Raises:
            NotFound `unknown_policy`. Invalid: `rate` is not a rate.
        """
        self._require_known(policy)
        await self._change(session, by, policy, None, _parsed(rate))
        return await self._updated_state(session, policy)

    async def unset(self, session: AsyncSession, by: UUID | None, policy: str) -> None:
        """Restores the rate of the settings for users without an exception. Raises NotFound `unknown_policy`."""
        self._require_known(policy)
        await self._change(session, by, policy, None, None)

    async def set_for(
        self, session: AsyncSession, by: UUID | None, policy: str, user: UUID, rate: str
    ) -> ThrottleException:
        """Sets the rate of one user.

        Raises:
            NotFound: `unknown_policy` (also if it does not count by user), `unknown_user`. Invalid: not a rate.
            Conflict `too_many_exceptions`.
        """
        self._require_known(policy, by_user=True)
        parsed = _parsed(rate)
        if await session.scalar(select(User.id).where(User.id == user, User.closed_at.is_(None))) is None:
            raise user_not_found()
        await self._change(session, by, policy, user, parsed)
        found = await session.execute(_changes().where(ThrottlePolicy.policy == policy, ThrottlePolicy.user_id == user))
        return _exception(found.one())

    async def unset_for(self, session: AsyncSession, by: UUID | None, policy: str, user: UUID) -> None:
        """Removes the user's exception. Raises NotFound `unknown_policy`."""
        self._require_known(policy, by_user=True)
        await self._change(session, by, policy, user, None)

    def _require_known(self, policy: str, *, by_user: bool = False) -> None:
        if policy not in self._defaults:
            raise policy_not_found()
        if by_user and policy not in BY_USER:
            raise policy_without_exceptions()

    async def _change(
        self, session: AsyncSession, by: UUID | None, policy: str, user: UUID | None, rate: Rate | None
    ) -> None:
        """Does nothing if the rate is unchanged, so that a retry keeps the recorded previous rate."""
        await locks.acquire(session, AdvisoryLock.THROTTLE_POLICIES)
        row = await self._row(session, policy, user)
        wanted = None if rate is None else str(rate)
        if wanted == (None if row is None else row.rate):
            return
        if user is not None and rate is not None and (row is None or row.rate is None):
            await _ensure_room(session)
        rule = str(self._defaults[policy])
        if user is not None and (above := await self._row(session, policy, None)) is not None:
            rule = above.rate or rule
        if row is None:
            row = ThrottlePolicy(policy=policy, user_id=user)
            session.add(row)
        row.previous = row.rate or rule
        row.rate, row.changed_by, row.changed_bucket = wanted, by, bucket_now()
        row.changed_at = func.clock_timestamp()
        facts = {"policy": policy, "from": row.previous, "to": wanted or rule}
        await log.record_action(session, by=by, action="policy.changed", subject=user, details=facts)
        await session.flush()
        record(session, PoliciesChanged())

    async def _row(self, session: AsyncSession, policy: str, user: UUID | None) -> ThrottlePolicy | None:
        owner = ThrottlePolicy.user_id.is_(None) if user is None else ThrottlePolicy.user_id == user
        row: ThrottlePolicy | None = await session.scalar(
            select(ThrottlePolicy).where(ThrottlePolicy.policy == policy, owner)
        )
        return row

    async def _updated_state(self, session: AsyncSession, policy: str) -> ThrottlePolicyState:
        return next(state for state in (await self.report(session)).items if state.policy == policy)

    def _state(self, policy: str, change: AnyRow | None, exceptions: int) -> ThrottlePolicyState:
        default = str(self._defaults[policy])
        return ThrottlePolicyState(
            policy=policy,
            default=default,
            rate=default if change is None or change.rate is None else change.rate,
            changed_from=None if change is None else change.previous,
            changed_by=None if change is None else _by(change),
            changed_at=None if change is None else change.changed_at,
            exceptions=exceptions if policy in BY_USER else None,
        )


async def sweep(session: AsyncSession) -> int:
    """Deletes old removed exceptions, which every process knows by now; at most 10,000. Returns their number."""
    old = (
        select(ThrottlePolicy.id)
        .where(
            ThrottlePolicy.user_id.is_not(None),
            ThrottlePolicy.rate.is_(None),
            ThrottlePolicy.changed_at < func.clock_timestamp() - timedelta(seconds=2 * REMOVAL_RETENTION_SECONDS),
        )
        .limit(MAX_DELETED)
        .with_for_update(skip_locked=True)
    )
    deleted = await session.execute(
        delete(ThrottlePolicy).where(ThrottlePolicy.id.in_(old)).returning(ThrottlePolicy.id)
    )
    return len(deleted.all())


async def _ensure_room(session: AsyncSession) -> None:
    number = await session.scalar(select(func.count()).select_from(ThrottlePolicy).where(_IS_EXCEPTION))
    if (number or 0) >= MAX_THROTTLE_EXCEPTIONS:
        raise too_many_exceptions()


def _parsed(rate: str) -> Rate:
    try:
        return Rate.parse(rate)
    except ValueError as error:
        raise invalid(("rate", f"Must be a rate; {error}.")) from error


_IS_EXCEPTION: Final[ColumnElement[bool]] = ThrottlePolicy.user_id.is_not(None) & ThrottlePolicy.rate.is_not(None)
_CHANGER: Final = aliased(User)


def _changes() -> Select[*tuple[Any, ...]]:
    return (
        select(
            ThrottlePolicy.policy,
            ThrottlePolicy.rate,
            ThrottlePolicy.previous,
            ThrottlePolicy.changed_at,
            User.id.label("user_id"),
            User.first_name,
            User.last_name,
            _CHANGER.id.label("by_id"),
            _CHANGER.first_name.label("by_first_name"),
            _CHANGER.last_name.label("by_last_name"),
        )
        .outerjoin(User, User.id == ThrottlePolicy.user_id)
        .outerjoin(_CHANGER, _CHANGER.id == ThrottlePolicy.changed_by)
    )


def _by(row: AnyRow) -> Person | None:
    if row.by_id is None:
        return None
    return Person(id=row.by_id, first_name=row.by_first_name, last_name=row.by_last_name)


def _exception(row: AnyRow) -> ThrottleException:
    return ThrottleException(
        policy=row.policy,
        user=Person(id=row.user_id, first_name=row.first_name, last_name=row.last_name),
        rate=row.rate,
        changed_from=row.previous,
        changed_by=_by(row),
        changed_at=row.changed_at,
    )
