"""Adds usage counts from Redis: each batch once, in one transaction with its id, even if it arrives repeatedly.

Old hours are deleted in limited steps, oldest first: those older than `RETENTION`, or than `MIN_RETENTION` while the
table is larger than `MAX_ROWS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    String,
    Text,
    Uuid,
    bindparam,
    cast,
    delete,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain import locks
from app.domain.locks import AdvisoryLock
from app.domain.throttling.models import ThrottleAttempts, ThrottleUsageBatch
from app.domain.throttling.usage_counts import Subjects, UsageBatch

HOUR: Final = 3_600
MINUTE: Final = 60
RETENTION: Final = timedelta(days=14)
MIN_RETENTION: Final = timedelta(days=1)
MAX_ROWS: Final = 5_000_000
ROWS_PER_STATEMENT: Final = 2_000
MAX_DELETED: Final = 100_000
"""Rows per sweep: a fraction of what the statement timeout allows."""


Key = tuple[str, int, int, UUID]
"""(policy, period in seconds, hour in seconds since 1970, subject)"""


class Row:
    """The amounts that one batch adds to one row."""

    __slots__ = ("attempts", "refused", "windows")

    def __init__(self) -> None:
        self.attempts = 0
        self.refused = 0
        self.windows: dict[int, int] = {}

    def array(self) -> str:
        """Formats the windows as a Postgres array literal, because unnest would flatten an array of arrays."""
        last = max(self.windows, default=-1)
        return "{" + ",".join(str(self.windows.get(slot, 0)) for slot in range(last + 1)) + "}"


async def add(session: AsyncSession, batch: UsageBatch, subjects: Subjects) -> bool:
    """Adds a batch, unless it was added before. Returns False if another worker is adding, else True."""
    if not await locks.try_acquire(session, AdvisoryLock.THROTTLE_ARRIVALS):
        return False
    minute = datetime.fromtimestamp(batch.minute * MINUTE, UTC)
    new = await session.scalar(
        upsert(ThrottleUsageBatch)
        .values(id=batch.id, minute=minute)
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(ThrottleUsageBatch.id)
    )
    if new is None:
        return True
    rows = sorted(_folded(batch, subjects).items())
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        await session.execute(_adding(rows[start : start + ROWS_PER_STATEMENT]))
    return True


async def sweep(session: AsyncSession) -> int:
    """Deletes rows of the oldest hour, if due, and ids of batches that cannot recur. Returns their number."""
    now = func.clock_timestamp()
    large = await session.scalar(_ESTIMATE)
    kept = MIN_RETENTION if (large or 0) > MAX_ROWS else RETENTION
    oldest = select(func.min(ThrottleAttempts.hour)).scalar_subquery()
    row: ColumnElement[Any] = literal_column("ctid")
    old = (
        select(row)
        .select_from(ThrottleAttempts)
        .where(ThrottleAttempts.hour == oldest, ThrottleAttempts.hour < now - kept)
        .limit(MAX_DELETED)
    )
    hours = await session.execute(delete(ThrottleAttempts).where(row.in_(old)).returning(ThrottleAttempts.hour))
    batches = await session.execute(
        delete(ThrottleUsageBatch).where(ThrottleUsageBatch.minute < now - RETENTION).returning(ThrottleUsageBatch.id)
    )
    return len(hours.all()) + len(batches.all())


def _folded(batch: UsageBatch, subjects: Subjects) -> dict[Key, Row]:
    rows: dict[Key, Row] = {}
    for count in batch.counts:
        hour = count.at - count.at % HOUR
        key = (count.policy, count.window, hour, subjects.stored(count.policy, count.subject))
        row = rows.get(key) or rows.setdefault(key, Row())
        row.attempts += count.attempts
        row.refused += count.refused
        if count.window < HOUR:
            slot = (count.at - hour) // count.window
            row.windows[slot] = row.windows.get(slot, 0) + count.attempts
    return rows


def _adding(rows: Sequence[tuple[Key, Row]]) -> Insert:
    given = (
        func.unnest(
            bindparam("policies", [key[0] for key, _ in rows], ARRAY(String)),
            bindparam("periods", [key[1] for key, _ in rows], ARRAY(Integer)),
            bindparam(
                "hours", [datetime.fromtimestamp(key[2], UTC) for key, _ in rows], ARRAY(DateTime(timezone=True))
            ),
            bindparam("subjects", [key[3] for key, _ in rows], ARRAY(Uuid)),
            bindparam("attempts", [row.attempts for _, row in rows], ARRAY(BigInteger)),
            bindparam("refused", [row.refused for _, row in rows], ARRAY(BigInteger)),
            bindparam("windows", [row.array() for _, row in rows], ARRAY(Text)),
        )
        .table_valued(*_NAMES, name="given")
        .render_derived()
    )
    windows = cast(given.c.windows, ARRAY(Integer))
    insert = upsert(ThrottleAttempts).from_select(_NAMES, select(*(given.c[name] for name in _NAMES[:-1]), windows))
    return insert.on_conflict_do_update(
        index_elements=["policy", "period", "hour", "subject"],
        set_={
            "attempts": ThrottleAttempts.attempts + insert.excluded.attempts,
            "refused": ThrottleAttempts.refused + insert.excluded.refused,
            "windows": _WINDOW_BY_WINDOW,
        },
    )


_NAMES: Final = ("policy", "period", "hour", "subject", "attempts", "refused", "windows")
_WINDOW_BY_WINDOW: Final[ColumnElement[list[int]]] = literal_column(
    "ARRAY(SELECT coalesce(ours, 0) + coalesce(theirs, 0)"
    " FROM unnest(throttle_attempts.windows, excluded.windows) WITH ORDINALITY AS pairs (ours, theirs, at)"
    " ORDER BY at)"
)
"""The shorter array is padded with zeros."""

_ESTIMATE = text("SELECT reltuples FROM pg_class WHERE oid = 'throttle_attempts'::regclass")
"""The estimate of the last vacuum: counting millions of rows every minute would be too expensive."""
