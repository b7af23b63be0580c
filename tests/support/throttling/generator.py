"""Decisions of throttles in a known number: a seeded crowd, and beside it a plain list of what each attempted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from random import Random
from uuid import UUID

from app.domain.rates import Rate
from app.throttling.limiter import RateDecision, RateLimiter, RateRequest
from tests.support.throttling.fixtures import Clock
from tests.support.throttling.oracle import MICROSECONDS

BATCH = 256
HOUR = 3_600
RATES = {
    "messages": Rate(6, 60),
    "user": Rate(200, 86_400),
    "requests": Rate(3, 1),
    "renames": Rate(40, 3_600),
    "guesses": Rate(8, 300),
}
"""Every kind of window there is: shorter than a minute, a minute, shorter than an hour, an hour, longer."""

KINDS = (("messages", "user"), ("messages", "user"), ("messages", "user"), ("requests",), ("renames",), ("guesses",))


class Known:
    """Attempts and refusals by (policy, subject, second), written down one by one."""

    def __init__(self) -> None:
        self.attempts: Counter[tuple[str, str, int]] = Counter()
        self.refused: Counter[tuple[str, str, int]] = Counter()

    def note(self, verdict: RateDecision, second: int, sign: int = 1) -> None:
        for policy in verdict.request.policies:
            self.attempts[policy, verdict.request.subject, second] += sign * verdict.request.cost
        if verdict.policy is not None:
            self.refused[verdict.policy, verdict.request.subject, second] += sign * verdict.request.cost

    def by_hour(self, policy: str) -> dict[int, tuple[int, int, int]]:
        """Attempts, refused and subjects of each hour."""
        hours: dict[int, tuple[Counter[str], int]] = {}
        for (one, subject, second), number in self.attempts.items():
            if one == policy and number:
                hours.setdefault(second - second % HOUR, (Counter(), 0))[0][subject] += number
        lost: Counter[int] = Counter()
        for (one, _, second), number in self.refused.items():
            if one == policy:
                lost[second - second % HOUR] += number
        return {hour: (sum(found.values()), lost[hour], len(found)) for hour, (found, _) in hours.items()}

    def windows(self, policy: str, window: int) -> Mapping[tuple[str, int], int]:
        """Attempts by subject and aligned window."""
        found: Counter[tuple[str, int]] = Counter()
        for (one, subject, second), number in self.attempts.items():
            if one == policy and number:
                found[subject, second // window] += number
        return found


def would_refuse(windows: Mapping[tuple[str, int], int], limit: int) -> tuple[int, int]:
    """Refused attempts, and subjects touched, the slow way."""
    refused = sum(max(0, number - limit) for number in windows.values())
    return refused, len({subject for (subject, _), number in windows.items() if number > limit})


def crowd(random: Random, number: int = 400) -> list[str]:
    return [str(UUID(int=random.getrandbits(128))) for _ in range(number)]


async def play(
    throttles: RateLimiter, clock: Clock, known: Known, random: Random, people: list[str], decisions: int
) -> None:
    """Let the crowd, of whom few do most, attempt something so many times; a part of it is given back.

    A batch moves the clock by 15 s on average.
    """
    for demands in _batches(random, people, [1 / (at + 1) for at in range(len(people))], decisions):
        verdicts = await throttles.take(demands)
        second = clock.now // MICROSECONDS
        for verdict in verdicts:
            known.note(verdict, second)
        clock.advance(random.randrange(30 * MICROSECONDS))
        undone = [verdict for verdict in verdicts if random.random() < 0.1]
        await throttles.give_back(undone)
        for verdict in undone:
            known.note(verdict, second, -1)


def _batches(random: Random, subjects: list[str], weights: list[float], decisions: int) -> Iterator[list[RateRequest]]:
    left = decisions
    while left:
        size = min(left, random.randint(BATCH // 2, BATCH))
        left -= size
        who: Iterable[str] = random.choices(subjects, weights, k=size)
        yield [RateRequest(random.choice(KINDS), subject, random.choice((1, 1, 1, 2))) for subject in who]
