"""Reports on other limits are exact for a crowd whose every attempt is known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random

from app.db import Session
from app.domain.throttling.reports import Reports
from app.throttling.usage_mover import UsageMover
from tests.support.throttling.desk import MINUTE, Desk, today
from tests.support.throttling.fixtures import Clock, Make
from tests.support.throttling.generator import RATES, Known, crowd, play, would_refuse
from tests.support.throttling.oracle import MICROSECONDS

DECISIONS, TURNS = 20_000, 20
DEATHS = ("", "reading", "", "committing", "", "dropping")


async def test_reports_equal_the_exact_counts_for_every_limit(desk: Desk, clock: Clock, make: Make) -> None:
    today(clock)
    random, known, throttles, desk.usage_mover = (
        Random(1),
        Known(),
        make(**RATES),
        UsageMover(desk.usage_mover._redis_client),
    )
    people = crowd(random)
    for turn in range(TURNS):
        await play(throttles, clock, known, random, people, DECISIONS // TURNS)
        await desk.bring(DEATHS[turn % len(DEATHS)], after=random.randrange(3))
    clock.advance(3 * MINUTE)
    await desk.bring()
    since = datetime.fromtimestamp(clock.now / MICROSECONDS - 3 * 86_400, UTC)
    async with desk.database.transaction() as session:
        received = await desk.reports(RATES).analytics(session, None, since, None)
        found = {one.policy: one for one in received.policies}
        assert set(found) == set(RATES)
        for policy, rate in RATES.items():
            hours = {
                int(one.hour.timestamp()): (one.attempts, one.refused, one.subjects) for one in found[policy].hours
            }
            assert hours == known.by_hour(policy)
            await compare(session, desk.reports(RATES), policy, known.windows(policy, rate.window), since, random)
    assert sum(known.refused.values()) > DECISIONS // 100


async def compare(
    session: Session,
    reports: Reports,
    policy: str,
    windows: Mapping[tuple[str, int], int],
    since: datetime,
    random: Random,
) -> None:
    """The report for several limits equals a straightforward count."""
    most, people = max(windows.values()), len({subject for subject, _ in windows})
    for limit in {1, most // 2 + 1, most - 1 or 1, most, most + 1, *random.choices(range(1, most + 1), k=8)}:
        received = await reports.what_if(session, policy, limit=limit, share=0.05, since=since, until=None)
        assert (received.refused, received.touched) == would_refuse(windows, limit)
        assert (received.attempts, received.highest, received.subjects) == (sum(windows.values()), most, people)
        assert limit in {point.limit for point in received.curve}
        for point in received.curve:
            assert (point.refused, point.subjects) == would_refuse(windows, point.limit)
        suggested = received.suggestion.limit
        assert suggested is not None
        assert would_refuse(windows, suggested)[1] <= 0.05 * people
        assert suggested == 1 or would_refuse(windows, suggested - 1)[1] > 0.05 * people
