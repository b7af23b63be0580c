"""Throttles: at most N in any window of that length, over all processes, REST and socket together.

One script on Redis judges a whole batch in one call; a demand takes from all of its policies or from none. With Redis
away each process enforces its share of each limit by itself (`counters`): a throttle may become coarser, never a 500.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Awaitable, Generator, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TypeAlias

import msgspec

from app.batching import Batcher
from app.domain.errors import Throttled
from app.domain.rates import Rate
from app.domain.throttling.overrides import Override
from app.domain.users.ip_addresses import site, wider
from app.redis.client import RedisClient, RedisUnavailable
from app.throttling.local_limiter import PARTS, LocalLimiter

SCRIPT = Path(__file__).with_name("limiter.lua").read_text(encoding="utf-8")
MAX_BATCH = 256
MAX_WAITING = 8_000
MICROSECONDS = 1_000_000

SITES = {"address_56": 4, "address_48": 16}
"""Policies for the wider networks of an IPv6 address: how many times the limit of `address`."""

STRANGERS = Rate(600, 60)
"""Of a network. Far above what a monitor, a scraper and a reader of documents ask together."""

Rates: TypeAlias = tuple[Rate, ...]

_encode = msgspec.json.Encoder().encode


class RateRequest(msgspec.Struct, frozen=True):
    """`cost` from each of these policies, for one subject: a user's id, a network."""

    policies: tuple[str, ...]
    subject: str
    cost: int = 1


class RateDecision(msgspec.Struct, frozen=True):
    """`policy` is the one that refuses, or None: taken. `retry_after` is in whole seconds, at least 1 when refused.

    `buckets` and `second` are where and when it was counted, `local` whether by this process alone: what `give_back`
    needs.
    """

    demand: RateRequest
    rates: Rates
    buckets: tuple[int, ...] = ()
    policy: str | None = None
    retry_after: int = 0
    second: int = 0
    local: bool = False

    @property
    def allowed(self) -> bool:
        return self.policy is None

    def error(self, hint: str = "") -> Throttled:
        """The error that the caller of a refused one receives."""
        policy = self.policy or self.demand.policies[0]
        rate = self.rates[self.demand.policies.index(policy)]
        return Throttled(policy, max(1, self.retry_after), limit=rate.limit, window=rate.window, hint=hint)


class PendingDecision:
    """The answer to one demand, to come; it need not be waited for."""

    __slots__ = ("_verdict",)

    def __init__(self, verdict: Future[RateDecision]) -> None:
        self._verdict = verdict

    def __await__(self) -> Generator[object, None, None]:
        verdict = yield from self._verdict
        if not verdict.allowed:
            raise verdict.error()


class RateLimiter:
    """`rates` by the policy's name, `exceptions` by policy and subject; both may be changed at any time.

    `processes` share the limits with Redis away.
    """

    def __init__(self, accelerator: RedisClient, rates: Mapping[str, Rate], *, processes: int = 1) -> None:
        self.rates = dict(rates)
        self.exceptions: dict[str, dict[str, Rate]] = {}
        self._defaults = dict(rates)
        self._accelerator = accelerator
        self._script = accelerator.redis.register_script(SCRIPT)
        self._local = LocalLimiter(processes)
        self._singles: Batcher[RateRequest, RateDecision] = Batcher(
            self._take_mixed, largest=MAX_BATCH, waiting=MAX_WAITING
        )

    def rate(self, policy: str, subject: str) -> Rate:
        """The limit of `policy` for `subject`: the rule, or an exception to it."""
        own = self.exceptions.get(policy)
        return (own.get(subject) if own else None) or self.rates[policy]

    def learn(self, standing: Sequence[Override], *, everything: bool) -> None:
        """These changed; or `everything` that is not as the settings say is these. What has no rate is taken back."""
        if everything:
            self.rates, self.exceptions = dict(self._defaults), {}
        for one in standing:
            if one.policy not in self._defaults:
                continue  # of another version of the program
            if one.user is None:
                self.rates[one.policy] = one.rate or self._defaults[one.policy]
            elif one.rate is None:
                self.exceptions.get(one.policy, {}).pop(str(one.user), None)
            else:
                self.exceptions.setdefault(one.policy, {})[str(one.user)] = one.rate

    async def take(self, demands: Sequence[RateRequest]) -> list[RateDecision]:
        """Judge `demands` in order, in one call; each sees what those before it took."""
        if not demands:
            return []
        every = [self._rates(one) for one in demands]
        try:
            answers = await self._call("take", _asked(demands, every), demands[0], every[0])
        except RedisUnavailable:
            return [self._take_here(one, rates) for one, rates in zip(demands, every, strict=True)]
        return _told(demands, every, answers)

    async def _take_mixed(self, demands: Sequence[RateRequest]) -> list[RateDecision]:
        """Judge what several ask at once: each sees what those before it took of the same policies."""
        # What demands have in common is sent once (`_asked`), so they go in runs.
        order = sorted(range(len(demands)), key=lambda i: demands[i].policies)
        verdicts = dict(zip(order, await self.take([demands[i] for i in order]), strict=True))
        return [verdicts[i] for i in range(len(demands))]

    async def take_one(self, demand: RateRequest) -> RateDecision:
        """One demand, sharing the call with those that other requests make at the same time.

        Raises:
            Unavailable: too many are waiting.
        """
        return await self.ask(demand)

    def ask(self, demand: RateRequest) -> Future[RateDecision]:
        """The same, the verdict to come."""
        return self._singles.ask(demand)

    async def give_back(self, verdicts: Sequence[RateDecision]) -> None:
        """Undo takes whose purpose came to nothing: nothing is taken, and nothing was attempted.

        A refused one took nothing; it only is no attempt any more.
        """
        for one in verdicts:
            if one.local and one.allowed:
                self._local.give_back(_keys(one.demand, one.rates), one.buckets, one.demand.cost)
        shared = [one for one in verdicts if not one.local]
        if shared:
            try:
                await self._call("give", [_given(one) for one in shared], shared[0].demand, shared[0].rates)
            except RedisUnavailable:
                return  # counted though not stored: on the safe side, until the window is over

    async def of_user(self, user: str) -> None:
        """Count a request of `user`. Raises Throttled."""
        await self.admission(user)

    def admission(self, user: str) -> Awaitable[None]:
        """Count a request of `user` now; waiting for it raises Throttled. Meanwhile other things can be asked."""
        return PendingDecision(self._singles.ask(RateRequest(("requests",), user)))

    async def of_network(self, network: str) -> None:
        """Count a request before login from `network`, and from the wider ones an IPv6 one is in. Raises Throttled."""
        counted = [RateRequest(("address",), network)]
        counted += [RateRequest((policy,), one) for policy, one in zip(SITES, wider(network), strict=False)]
        verdicts = await asyncio.gather(*[self._singles.ask(one) for one in counted])
        refused = next((one for one in verdicts if not one.allowed), None)
        if refused is not None:
            await self.give_back([one for one in verdicts if one.allowed])
            raise refused.error()

    async def of_stranger(self, address: str) -> None:
        """Count a request that no login vouches for, from the site of `address`. Raises Throttled."""
        await PendingDecision(self._singles.ask(RateRequest(("strangers",), site(address))))

    async def _call(self, what: str, demands: object, some: RateRequest, rates: Rates) -> list[int]:
        arguments: list[str | bytes] = [what, _encode(demands)]
        some_key = _keys(some, rates)[0]
        answers: list[int] = await self._accelerator.call(
            lambda redis: self._script(keys=[some_key], args=arguments, client=redis)
        )
        return answers

    def _rates(self, one: RateRequest) -> Rates:
        return tuple([self.rate(policy, one.subject) for policy in one.policies])

    def _take_here(self, one: RateRequest, rates: Rates) -> RateDecision:
        which, seconds, buckets = self._local.take(_keys(one, rates), rates, one.cost)
        policy = None if which < 0 else one.policies[which]
        return RateDecision(one, rates, buckets, policy, seconds, local=True)


def _asked(demands: Sequence[RateRequest], every: Sequence[Rates]) -> list[list[object]]:
    """In runs that differ in their subject only: what the demands of a batch have in common is sent and read once."""
    runs: list[list[object]] = []
    subjects: list[str] = []
    before: object = None
    for one, rates in zip(demands, every, strict=True):
        kind = (one.cost, one.policies, rates)
        if kind != before:
            before, subjects = kind, []
            run: list[object] = [one.cost, subjects]
            for policy, rate in zip(one.policies, rates, strict=True):
                run += _ending(policy, rate), rate.limit, _width(rate)
            runs.append(run)
        subjects.append(one.subject)
    return runs


def _told(demands: Sequence[RateRequest], every: Sequence[Rates], answers: Sequence[int]) -> list[RateDecision]:
    second, at, verdicts = answers[0], 1, []
    for one, rates in zip(demands, every, strict=True):
        end = at + len(rates)
        if answers[at] >= 0:
            verdict = RateDecision(one, rates, tuple(answers[at:end]), second=second)
        else:
            end = at + 2
            seconds = max(1, ceil(answers[at + 1] / MICROSECONDS))
            verdict = RateDecision(one, rates, (), one.policies[-answers[at] - 1], seconds, second)
        verdicts.append(verdict)
        at = end
    return verdicts


def _given(one: RateDecision) -> list[object]:
    refused = 0 if one.policy is None else one.demand.policies.index(one.policy) + 1
    given: list[object] = [one.demand.cost, one.second, refused]
    buckets = one.buckets or [0] * len(one.rates)
    for key, bucket, rate in zip(_keys(one.demand, one.rates), buckets, one.rates, strict=True):
        given += key, bucket, _width(rate)
    return given


def _keys(one: RateRequest, rates: Rates) -> list[str]:
    # One subject's counters share a hash tag, so that on a cluster they live together.
    return [
        f"throttle:{{{one.subject}{_ending(policy, rate)}" for policy, rate in zip(one.policies, rates, strict=True)
    ]


def _ending(policy: str, rate: Rate) -> str:
    """What follows the subject in a counter's key."""
    # The window is in the key: a policy whose window changes starts a new counter.
    return f"}}:{policy}:{rate.window}"


def _width(rate: Rate) -> int:
    """Microseconds of a bucket, rounded up: all of them together are never shorter than the window."""
    return -(-rate.window * MICROSECONDS // PARTS)
