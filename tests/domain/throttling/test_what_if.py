"""What a limit would have done, held against counting it out."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from app.domain.throttling.what_if import Distribution
from tests.support.throttling.generator import would_refuse

WINDOWS = st.dictionaries(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 5)), st.integers(1, 40), max_size=30)


def of(windows: dict[tuple[str, int], int]) -> Distribution:
    highest: dict[str, int] = {}
    for (who, _), number in windows.items():
        highest[who] = max(number, highest.get(who, 0))
    return Distribution(Counter(windows.values()), Counter(highest.values()))


@given(windows=WINDOWS, limit=st.integers(1, 45))
def test_a_distribution_predicts_the_exact_number_of_refusals(windows: dict[tuple[str, int], int], limit: int) -> None:
    found = of(windows)
    assert (found.refused(limit), found.touched(limit)) == would_refuse(windows, limit)
    assert (found.attempts, found.windows) == (sum(windows.values()), len(windows))
    assert (found.subjects, found.highest) == (len({who for who, _ in windows}), max(windows.values(), default=0))


@given(windows=WINDOWS, share=st.floats(0, 1))
def test_the_limit_suggested_is_the_lowest_that_touches_few_enough(
    windows: dict[tuple[str, int], int], share: float
) -> None:
    found = of(windows)
    limit = found.lowest_limit(share)
    assert limit >= 1
    assert would_refuse(windows, limit)[1] <= share * found.subjects
    assert limit == 1 or would_refuse(windows, limit - 1)[1] > share * found.subjects


@given(windows=WINDOWS, other=st.integers(1, 100))
def test_a_curve_rises_to_where_nothing_is_refused(windows: dict[tuple[str, int], int], other: int) -> None:
    found = of(windows)
    steps = found.steps(other)
    assert steps == sorted(set(steps))
    assert other in steps
    assert found.refused(max(steps)) == 0
    assert {1, 2, 3} <= {*steps, *range(max(1, found.highest), 4)}
    assert len(of({("a", 0): 10**9}).steps(60)) < 50
