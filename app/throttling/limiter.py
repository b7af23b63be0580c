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
from prometheus_client import Counter

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

REFUSALS = Counter("chat_throttle_refusals", "Requests and messages refused by a throttle.", ["policy"])

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

    request: RateRequest
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
        policy = self.policy or self.request.policies[0]
        rate = self.rates[self.request.policies.index(policy)]
        return Throttled(policy, max(1, self.retry_after), limit=rate.limit, window=rate.window, hint=hint)


class PendingDecision:
    """A decision in progress. Awaiting it raises Throttled if refused; it need not be awaited."""

    __slots__ = ("_decision",)

    def __init__(self, decision: Future[RateDecision]) -> None:
        self._decision = decision

    def __await__(self) -> Generator[object, None, None]:
        decision = yield from self._decision
        if not decision.allowed:
            raise decision.error()


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
        self._batcher: Batcher[RateRequest, RateDecision] = Batcher(
            self._take_sorted, max_batch=MAX_BATCH, max_waiting=MAX_WAITING
        )

    def rate(self, policy: str, subject: str) -> Rate:
        """Returns the limit of `policy` for `subject`: its exception, or else the rule."""
        own = self.exceptions.get(policy)
        return (own.get(subject) if own else None) or self.rates[policy]

    def apply_overrides(self, overrides: Sequence[Override], *, complete: bool) -> None:
        """Applies changed overrides. If `complete`, they are all there are and replace the current ones.
        An override without a rate is removed."""
        if complete:
            self.rates, self.exceptions = dict(self._defaults), {}
        for override in overrides:
            if override.policy not in self._defaults:
                continue  # from another version of the program
            if override.user is None:
                self.rates[override.policy] = override.rate or self._defaults[override.policy]
            elif override.rate is None:
                self.exceptions.get(override.policy, {}).pop(str(override.user), None)
            else:
                self.exceptions.setdefault(override.policy, {})[str(override.user)] = override.rate

    async def take(self, requests: Sequence[RateRequest]) -> list[RateDecision]:
        """Decides `requests` in order, in one call; each sees what the earlier ones took."""
        if not requests:
            return []
        rates = [self._rates(request) for request in requests]
        try:
            answers = await self._call("take", _encode_runs(requests, rates), requests[0], rates[0])
        except RedisUnavailable:
            return [self._take_locally(*pair) for pair in zip(requests, rates, strict=True)]
        return _decode_decisions(requests, rates, answers)

    async def _take_sorted(self, requests: Sequence[RateRequest]) -> list[RateDecision]:
        """Decides a batch of independent requests; each sees what earlier ones took from the same policies."""
        # Sort into runs: what consecutive requests have in common is sent once (`_encode_runs`).
        order = sorted(range(len(requests)), key=lambda i: requests[i].policies)
        decisions = dict(zip(order, await self.take([requests[i] for i in order]), strict=True))
        return [decisions[i] for i in range(len(requests))]

    async def take_one(self, request: RateRequest) -> RateDecision:
        """Decides one request, batched with concurrent ones.

        Raises:
            Unavailable: the queue is full.
        """
        return await self.submit(request)

    def submit(self, request: RateRequest) -> Future[RateDecision]:
        """Like `take_one`, but returns a future."""
        return self._batcher.submit(request)

    async def give_back(self, decisions: Sequence[RateDecision]) -> None:
        """Undoes decisions whose action did not happen: the tokens are returned, and the attempts are uncounted.

        A refused request took no tokens; only its attempt is uncounted.
        """
        for decision in decisions:
            if decision.local and decision.allowed:
                keys = _keys(decision.request, decision.rates)
                self._local.give_back(keys, decision.buckets, decision.request.cost)
        shared = [decision for decision in decisions if not decision.local]
        if shared:
            try:
                await self._call("give", [_encode_return(item) for item in shared], shared[0].request, shared[0].rates)
            except RedisUnavailable:
                return  # stays counted until the window ends: errs on the safe side

    async def count_user(self, user: str) -> None:
        """Counts a request of `user`. Raises Throttled."""
        await self.admission(user)

    def admission(self, user: str) -> Awaitable[None]:
        """Starts counting a request of `user`; awaiting the result raises Throttled. Other work can run alongside."""
        return PendingDecision(self._batcher.submit(RateRequest(("requests",), user)))

    async def count_network(self, network: str) -> None:
        """Counts a request before login from `network` and the wider networks of IPv6. Raises Throttled."""
        counted = [RateRequest(("address",), network)]
        counted += [RateRequest((policy,), prefix) for policy, prefix in zip(SITES, wider(network), strict=False)]
        decisions = await asyncio.gather(*[self._batcher.submit(request) for request in counted])
        refused = next((decision for decision in decisions if not decision.allowed), None)
        if refused is not None:
            await self.give_back([decision for decision in decisions if decision.allowed])
            raise refused.error()

    async def count_unauthenticated(self, address: str) -> None:
        """Counts an unauthenticated request from the site of `address`. Raises Throttled."""
        await PendingDecision(self._batcher.submit(RateRequest(("strangers",), site(address))))

    async def _call(self, command: str, data: object, first: RateRequest, rates: Rates) -> list[int]:
        arguments: list[str | bytes] = [command, _encode(data)]
        key = _keys(first, rates)[0]
        answers: list[int] = await self._redis_client.call(
            lambda redis: self._script(keys=[key], args=arguments, client=redis)
        )
        return answers

    def _rates(self, request: RateRequest) -> Rates:
        return tuple([self.rate(policy, request.subject) for policy in request.policies])

    def _take_locally(self, request: RateRequest, rates: Rates) -> RateDecision:
        refusing, seconds, buckets = self._local.take(_keys(request, rates), rates, request.cost)
        policy = None if refusing < 0 else request.policies[refusing]
        if policy is not None:
            REFUSALS.labels(policy).inc()
        return RateDecision(request, rates, buckets, policy, seconds, local=True)


def _encode_runs(requests: Sequence[RateRequest], rates_each: Sequence[Rates]) -> list[list[object]]:
    """Encodes runs of requests that differ only in subject, so that their common part is sent and parsed once."""
    runs: list[list[object]] = []
    subjects: list[str] = []
    previous: object = None
    for request, rates in zip(requests, rates_each, strict=True):
        common = (request.cost, request.policies, rates)
        if common != previous:
            previous, subjects = common, []
            run: list[object] = [request.cost, subjects]
            for policy, rate in zip(request.policies, rates, strict=True):
                run += _key_suffix(policy, rate), rate.limit, _bucket_width(rate)
            runs.append(run)
        subjects.append(request.subject)
    return runs


def _decode_decisions(
    requests: Sequence[RateRequest], rates_each: Sequence[Rates], answers: Sequence[int]
) -> list[RateDecision]:
    second, start, decisions = answers[0], 1, []
    for request, rates in zip(requests, rates_each, strict=True):
        end = start + len(rates)
        if answers[start] >= 0:
            decision = RateDecision(request, rates, tuple(answers[start:end]), second=second)
        else:
            end = start + 2
            seconds, policy = max(1, ceil(answers[start + 1] / MICROSECONDS)), request.policies[-answers[start] - 1]
            REFUSALS.labels(policy).inc()
            decision = RateDecision(request, rates, (), policy, seconds, second)
        decisions.append(decision)
        start = end
    return decisions


def _encode_return(decision: RateDecision) -> list[object]:
    request = decision.request
    refused = 0 if decision.policy is None else request.policies.index(decision.policy) + 1
    encoded: list[object] = [request.cost, decision.second, refused]
    buckets = decision.buckets or [0] * len(decision.rates)
    for key, bucket, rate in zip(_keys(request, decision.rates), buckets, decision.rates, strict=True):
        encoded += key, bucket, _bucket_width(rate)
    return encoded


def _keys(request: RateRequest, rates: Rates) -> list[str]:
    # A subject's counters share a hash tag, so a cluster keeps them on one node.
    return [
        f"throttle:{{{request.subject}{_key_suffix(policy, rate)}"
        for policy, rate in zip(request.policies, rates, strict=True)
    ]


def _key_suffix(policy: str, rate: Rate) -> str:
    """Returns the part of a counter's key after the subject."""
    # The window is part of the key, so a policy with a changed window starts a new counter.
    return f"}}:{policy}:{rate.window}"


def _bucket_width(rate: Rate) -> int:
    """Returns the microseconds of a bucket, rounded up so that all buckets together cover the window."""
    return -(-rate.window * MICROSECONDS // PARTS)
