"""What "at most N in any window of W" means, said slowly: a list of everything taken."""

from __future__ import annotations

from app.domain.rates import Rate

MICROSECONDS = 1_000_000


class Oracle:
    """Times in microseconds. `may` and `must` leave a gap of 1/60 of the window, in which both answers are right."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.taken: list[tuple[int, int]] = []
        self.window = rate.window * MICROSECONDS

    def within(self, now: int, length: int) -> int:
        return sum(cost for at, cost in self.taken if now - length < at <= now)

    def may(self, now: int, cost: int) -> bool:
        """Whether taking would keep every window within the limit, even if what was taken is stored a little later."""
        return self.within(now, self.window + self.window // 120) + cost <= self.rate.limit

    def must(self, now: int, cost: int) -> bool:
        """Whether refusing would be refusing for more than 1/60 of the window too long."""
        # A bucket is rounded up to a whole microsecond.
        return self.within(now, self.window + self.window // 60 + 122) + cost <= self.rate.limit

    def take(self, now: int, cost: int) -> None:
        self.taken.append((now, cost))

    def give_back(self, now: int, cost: int) -> None:
        self.taken.remove((now, cost))
