"""Sliding-window rate limits: at most N in any window of that length, over all processes, REST and sockets together.

One Redis script decides a whole batch in one call; a request takes from all of its policies or from none. While Redis
is down each process enforces its share of each limit (`local_limiter`): limits become coarser, but never cause a 500.
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
from app.domain.users.client_address import site, wider
from app.redis.client import RedisClient, RedisUnavailable
from app.throttling.local_limiter import PARTS, LocalLimiter

SCRIPT = Path(__file__).with_name("limiter.lua").read_text(encoding="utf-8")
MAX_BATCH = 256
MAX_WAITING = 8_000
MICROSECONDS = 1_000_000

SITES = {"address_56": 4, "address_48": 16}
"""Policies for the wider networks of an IPv6 address, as multiples of the limit of `address`."""

STRANGERS = Rate(600, 60)
"""Limit per network. Far above the requests of a monitor, a scraper and a reader of the documentation together."""

Rates: TypeAlias = tuple[Rate, ...]

_encode = msgspec.json.Encoder().encode


class RateRequest(msgspec.Struct, frozen=True):
    """Takes `cost` from each of `policies` for one subject: a user id or a network."""

    policies: tuple[str, ...]
    subject: str
    cost: int = 1


class RateDecision(msgspec.Struct, frozen=True):
    """`policy` is the one that refused, or None if allowed. `retry_after` is in whole seconds, at least 1 if refused.

    For `give_back`: `buckets` and `second` say where and when the request was counted, `local` whether this process
    alone counted it.
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
        """Returns the error for the caller of a refused request."""
        policy = self.policy or self.demand.policies[0]
        rate = self.rates[self.demand.policies.index(policy)]
        return Throttled(policy, max(1, self.retry_after), limit=rate.limit, window=rate.window, hint=hint)


class PendingDecision:
    """A decision in progress. Awaiting it raises Throttled if refused; it need not be awaited."""

    __slots__ = ("_verdict",)

    def __init__(self, verdict: Future[RateDecision]) -> None:
        self._verdict = verdict

    def __await__(self) -> Generator[object, None, None]:
        verdict = yield from self._verdict
        if not verdict.allowed:
            raise verdict.error()


class RateLimiter:
    """`rates` by policy name, `exceptions` by policy and subject. Both may change at any time.

    `processes` share the limits while Redis is down.
    """

    def __init__(self, redis_client: RedisClient, rates: Mapping[str, Rate], *, processes: int = 1) -> None:
        self.rates = dict(rates)
        self.exceptions: dict[str, dict[str, Rate]] = {}
        self._defaults = dict(rates)
        self._redis_client = redis_client
        self._script = redis_client.redis.register_script(SCRIPT)
        self._local = LocalLimiter(processes)
        self._singles: Batcher[RateRequest, RateDecision] = Batcher(
            self._take_mixed, largest=MAX_BATCH, waiting=MAX_WAITING
        )

    def rate(self, policy: str, subject: str) -> Rate:
        """Returns the limit of `policy` for `subject`: its exception, or else the rule."""
        own = self.exceptions.get(policy)
        return (own.get(subject) if own else None) or self.rates[policy]

    def learn(self, standing: Sequence[Override], *, everything: bool) -> None:
        """Applies changed overrides. With `everything`, `standing` is the complete list and replaces the current one.
        An override without a rate is removed."""
        if everything:
            self.rates, self.exceptions = dict(self._defaults), {}
        for one in standing:
            if one.policy not in self._defaults:
                continue  # from another version of the program
            if one.user is None:
                self.rates[one.policy] = one.rate or self._defaults[one.policy]
            elif one.rate is None:
                self.exceptions.get(one.policy, {}).pop(str(one.user), None)
            else:
                self.exceptions.setdefault(one.policy, {})[str(one.user)] = one.rate

    async def take(self, demands: Sequence[RateRequest]) -> list[RateDecision]:
        """Decides `demands` in order, in one call; each sees what the earlier ones took."""
        if not demands:
            return []
        every = [self._rates(one) for one in demands]
        try:
            answers = await self._call("take", _asked(demands, every), demands[0], every[0])
        except RedisUnavailable:
            return [self._take_here(one, rates) for one, rates in zip(demands, every, strict=True)]
        return _told(demands, every, answers)

    async def _take_mixed(self, demands: Sequence[RateRequest]) -> list[RateDecision]:
        """Decides a batch of independent requests; each sees what earlier ones took from the same policies."""
        # Sort into runs: what consecutive requests have in common is sent once (`_asked`).
        order = sorted(range(len(demands)), key=lambda i: demands[i].policies)
        verdicts = dict(zip(order, await self.take([demands[i] for i in order]), strict=True))
        return [verdicts[i] for i in range(len(demands))]

    async def take_one(self, demand: RateRequest) -> RateDecision:
        """Decides one request, batched with concurrent ones.

        Raises:
            Unavailable: the queue is full.
        """
        return await self.ask(demand)

    def ask(self, demand: RateRequest) -> Future[RateDecision]:
        """Like `take_one`, but returns a future."""
        return self._singles.ask(demand)

    async def give_back(self, verdicts: Sequence[RateDecision]) -> None:
        """Undoes decisions whose action did not happen: the tokens are returned, and the attempts are uncounted.

        A refused request took no tokens; only its attempt is uncounted.
        """
        for one in verdicts:
            if one.local and one.allowed:
                self._local.give_back(_keys(one.demand, one.rates), one.buckets, one.demand.cost)
        shared = [one for one in verdicts if not one.local]
        if shared:
            try:
                await self._call("give", [_given(one) for one in shared], shared[0].demand, shared[0].rates)
            except RedisUnavailable:
                return  # stays counted until the window ends: errs on the safe side

    async def of_user(self, user: str) -> None:
        """Counts a request of `user`. Raises Throttled."""
        await self.admission(user)

    def admission(self, user: str) -> Awaitable[None]:
        """Starts counting a request of `user`; awaiting the result raises Throttled. Other work can run alongside."""
        return PendingDecision(self._singles.ask(RateRequest(("requests",), user)))

    async def of_network(self, network: str) -> None:
        """Counts a request before login from `network` and the wider networks of IPv6. Raises Throttled."""
        counted = [RateRequest(("address",), network)]
        counted += [RateRequest((policy,), one) for policy, one in zip(SITES, wider(network), strict=False)]
        verdicts = await asyncio.gather(*[self._singles.ask(one) for one in counted])
        refused = next((one for one in verdicts if not one.allowed), None)
        if refused is not None:
            await self.give_back([one for one in verdicts if one.allowed])
            raise refused.error()

    async def of_stranger(self, address: str) -> None:
        """Counts an unauthenticated request from the site of `address`. Raises Throttled."""
        await PendingDecision(self._singles.ask(RateRequest(("strangers",), site(address))))

    async def _call(self, what: str, demands: object, some: RateRequest, rates: Rates) -> list[int]:
        arguments: list[str | bytes] = [what, _encode(demands)]
        some_key = _keys(some, rates)[0]
        answers: list[int] = await self._redis_client.call(
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
    """Encodes runs of requests that differ only in subject, so that their common part is sent and parsed once."""
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
    # A subject's counters share a hash tag, so a cluster keeps them on one node.
    return [
        f"throttle:{{{one.subject}{_ending(policy, rate)}" for policy, rate in zip(one.policies, rates, strict=True)
    ]


def _ending(policy: str, rate: Rate) -> str:
    """Returns the part of a counter's key after the subject."""
    # The window is part of the key, so a policy with a changed window starts a new counter.
    return f"}}:{policy}:{rate.window}"


def _width(rate: Rate) -> int:
    """Returns the microseconds of a bucket, rounded up so that all buckets together cover the window."""
    return -(-rate.window * MICROSECONDS // PARTS)
