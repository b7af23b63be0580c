"""A process counts its own last seconds: rates of about ten, counts of the last minute, and quantiles of delivery."""

from __future__ import annotations

import pytest

from app.realtime.connection.socket_metrics import DELIVERY, DELIVERY_BUCKETS, FRAMES, OPEN
from app.realtime.hub.gap_repair import REPAIRS
from app.redis.client import FAILED
from app.store.message_writer import ACCEPTED
from app.store.page_reader import LOOKUPS
from app.telemetry.process_figures import BUCKETS, ProcessFigures, RecentFigures, quantile
from app.throttling.limiter import REFUSALS


def sampled(*seconds: float) -> RecentFigures:
    """With a sample at each of these times, before anything happens."""
    recent = RecentFigures({})
    for second in seconds:
        recent.sample(second)
    return recent


def test_rates_are_of_the_last_ten_seconds_and_counts_of_the_last_minute() -> None:
    recent = sampled(0)
    ACCEPTED.inc(70)
    REPAIRS.labels("repaired").inc(2)
    recent.sample(40)
    ACCEPTED.inc(30)
    FRAMES.inc(120)
    LOOKUPS.labels("page").inc(9)
    LOOKUPS.labels("missing").inc()
    REFUSALS.labels("messages").inc(4)
    FAILED.inc(3)
    found = recent.figures(50)
    assert (found.sends_per_second, found.frames_per_second) == (3.0, 12.0)
    assert found.repairs == {"repaired": 2}
    assert found.pages == {"page": 9, "missing": 1}
    assert (found.throttled, found.redis_failures) == (4, 3)


def test_what_happened_longer_ago_than_a_minute_is_not_counted() -> None:
    recent = sampled(0)
    REPAIRS.labels("repaired").inc()
    ACCEPTED.inc(10)
    for second in range(5, 70, 5):
        recent.sample(second)
    found = recent.figures(70)
    assert (found.repairs, found.sends_per_second) == ({}, 0.0)


def test_before_the_first_sample_nothing_has_happened_and_the_state_is_known() -> None:
    recent = RecentFigures({})
    OPEN.inc(3)
    try:
        before = RecentFigures({}).figures(5)
        OPEN.dec()
        found = recent.figures(5)
        assert before.sockets - found.sockets == 1
        assert (found.sends_per_second, found.repairs, sum(found.delivery)) == (0.0, {}, 0)
    finally:
        OPEN.dec(2)


def test_deliveries_are_counted_by_bucket() -> None:
    recent = sampled(0)
    for seconds in (0.0005, 0.004, 0.004, 60.0):
        DELIVERY.observe(seconds)
    found = recent.figures(10).delivery
    assert len(found) == BUCKETS
    assert (found[0], found[DELIVERY_BUCKETS.index(0.005)], found[-1]) == (1, 2, 1)
    assert sum(found) == 4


def test_figures_of_processes_add_up() -> None:
    one = ProcessFigures(sockets=2, sends_per_second=1.5, repairs={"repaired": 1}, delivery=[1] * BUCKETS, pool_size=4)
    other = ProcessFigures(sockets=3, repairs={"repaired": 1, "failed": 2}, pages={"page": 5}, pool_size=5)
    found = one + other
    assert (found.sockets, found.sends_per_second, found.pool_size) == (5, 1.5, 9)
    assert (found.repairs, found.pages) == ({"repaired": 2, "failed": 2}, {"page": 5})
    assert found.delivery == [1] * BUCKETS


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ({}, 0.5, None),
        ({0.002: 10}, 0.5, 0.0015),
        ({0.001: 50, 0.1: 50}, 0.5, 0.001),
        ({0.001: 98, 0.2: 2}, 0.99, 0.15),
        ({None: 1}, 0.5, 10.0),
    ],
)
def test_a_quantile_is_interpolated_within_its_bucket(
    counts: dict[float | None, int], share: float, expected: float | None
) -> None:
    by_bucket = [counts.get(bound, 0) for bound in (*DELIVERY_BUCKETS, None)]
    found = quantile(by_bucket, share)
    assert found == (None if expected is None else pytest.approx(expected))
