"""The distribution of attempts, and what a limit would have refused.

`windows[n]` is the number of windows, over all subjects, with n attempts; `highest[n]` the number of subjects whose
fullest window had n. A limit L would have refused the sum of max(0, n - L) over all windows, and affected the subjects
with more than L in one window. These windows are aligned with the clock. A throttle's windows slide, so it also refuses
attempts across the edge of two windows: these numbers are a lower bound.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate, count, takewhile
from math import floor
from typing import Final

STEPS: Final = (1, 2, 3, 5, 7)
"""Multiples of each power of ten: the limits at which a curve is drawn."""


class Distribution:
    """Queries take O(log n), where n is the number of distinct attempt counts."""

    def __init__(self, windows: Mapping[int, int], highest: Mapping[int, int]) -> None:
        self._numbers = sorted(windows)
        counts = [windows[number] for number in self._numbers]
        self._windows_above = _sums_from_the_end(counts)
        self._attempts_above = _sums_from_the_end([n * count for n, count in zip(self._numbers, counts, strict=True)])
        self._peaks = sorted(highest)
        self._subjects_above = _sums_from_the_end([highest[number] for number in self._peaks])

    @property
    def attempts(self) -> int:
        return self._attempts_above[0]

    @property
    def windows(self) -> int:
        """Windows with attempts."""
        return self._windows_above[0]

    @property
    def subjects(self) -> int:
        return self._subjects_above[0]

    @property
    def highest(self) -> int:
        """The most attempts in one window, 0 if there were none."""
        return self._peaks[-1] if self._peaks else 0

    def refused(self, limit: int) -> int:
        """Returns the number of attempts that `limit` would have refused."""
        index = bisect_right(self._numbers, limit)
        return self._attempts_above[index] - limit * self._windows_above[index]

    def touched(self, limit: int) -> int:
        """Returns the number of subjects with at least one attempt that `limit` would have refused."""
        return self._subjects_above[bisect_right(self._peaks, limit)]

    def lowest_limit(self, share: float) -> int:
        """Returns the lowest limit (at least 1) that affects at most `share` (0 ... 1) of the subjects."""
        allowed = floor(share * self.subjects)
        return next((peak for peak in (1, *self._peaks) if self.touched(peak) <= allowed), 1)

    def steps(self, *others: int) -> list[int]:
        """Returns ascending limits for a curve: round numbers until nothing is refused, and `others`."""
        rounds = (step * 10**power for power in count() for step in STEPS)
        below = takewhile(lambda limit: limit < self.highest, rounds)
        return sorted({*below, *others, max(1, self.highest)})


def _sums_from_the_end(numbers: list[int]) -> list[int]:
    """Returns the sum of all numbers, of all but the first, and so on; the last sum is 0."""
    return [*accumulate(reversed(numbers), initial=0)][::-1]
