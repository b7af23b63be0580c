"""How often people attempted something, and what a limit would have done to them.

`windows[n]` is how many windows, of all subjects, had n attempts; `highest[n]` how many subjects had n in their fullest
one. A limit L would have refused the sum of max(0, n - L) over all windows, and something to whoever had more than L in
one. Windows are aligned with the clock. A throttle's slide, so that it also refuses what lies across the edge of two:
it refuses this much at least.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate, count, takewhile
from math import floor
from typing import Final

STEPS: Final = (1, 2, 3, 5, 7)
"""Of each power of ten: the limits a curve is drawn through."""


class Distribution:
    """Answers in O(log n) of the different numbers of attempts."""

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
        """Windows in which somebody attempted something."""
        return self._windows_above[0]

    @property
    def subjects(self) -> int:
        return self._subjects_above[0]

    @property
    def highest(self) -> int:
        """The most attempts in a window; 0 when there were none."""
        return self._peaks[-1] if self._peaks else 0

    def refused(self, limit: int) -> int:
        """Attempts that `limit` would have refused."""
        at = bisect_right(self._numbers, limit)
        return self._attempts_above[at] - limit * self._windows_above[at]

    def touched(self, limit: int) -> int:
        """Subjects to whom `limit` would have refused something."""
        return self._subjects_above[bisect_right(self._peaks, limit)]

    def lowest_limit(self, share: float) -> int:
        """The lowest limit, 1 at least, that touches at most `share` (0 ... 1) of the subjects."""
        allowed = floor(share * self.subjects)
        return next((peak for peak in (1, *self._peaks) if self.touched(peak) <= allowed), 1)

    def steps(self, *others: int) -> list[int]:
        """Limits to draw a curve through, rising: round numbers until nothing is refused, and `others`."""
        rounds = (step * 10**power for power in count() for step in STEPS)
        below = takewhile(lambda limit: limit < self.highest, rounds)
        return sorted({*below, *others, max(1, self.highest)})


def _sums_from_the_end(numbers: list[int]) -> list[int]:
    """Of all, of all but the first, and so on; the last is 0."""
    return [*accumulate(reversed(numbers), initial=0)][::-1]
