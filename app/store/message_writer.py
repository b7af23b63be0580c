"""Writes all sends of this process, REST and socket, in group commits. An acknowledged send is committed.

The rate limiter is called when a send arrives, batched with its other calls. Sends that arrive while two batches are
running wait for the next batch; one statement writes the whole batch. Two batches run at once so that one can prepare
while the other waits for Postgres; conversation locks, taken in order, keep them apart. Steps of a batch: await the
decisions, fold equal keys, drop refused sends, write and commit, publish (cache and bus, by `Database`), return the
tokens of sends that were not stored. A batch that Postgres refuses is retried by conversation, then by message, so that
only the faulty send fails; a conversation whose lock times out answers 503 instead.

A write that may be stored is never retried: if the connection or the deadline is lost while COMMIT may be running, the
answer is `outcome_unknown`. Every wait is bounded: a send waits for its batch for at most QUEUE_SECONDS or until the
next batch starts, and a batch writes for at most WRITE_SECONDS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from prometheus_client import Counter, Histogram

from app.batching import Batcher
from app.db import Database
from app.domain.error_catalogue import busy, idempotency_mismatch, outcome_unknown, unavailable
from app.domain.errors import ChatError, OutcomeUnknown, Throttled
from app.domain.messages.send import Draft, Replay, SendThrottled, Sent, read_replays, send_batch
from app.throttling.limiter import RateDecision, RateLimiter, RateRequest

MAX_BATCH = 128
CONCURRENT_BATCHES = 2
MAX_WAITING = 4_000
"""About 1.5 seconds of sends at full speed. A longer queue would answer after clients gave up."""

QUEUE_SECONDS = 12.0
WRITE_SECONDS = 12.0
"""Longer than `statement_timeout`, after which certainly nothing is stored: only a COMMIT can still be running."""

UNIQUE_VIOLATION = "23505"

LATE_SECONDS = 0.25
"""A take counts for half a second longer than its minute (`limiter.lua`); the other quarter second is for the batch."""

ACCEPTED = Counter("chat_messages_accepted", "Messages committed; a repeated send counts once.")
BATCH_SIZE = Histogram(
    "chat_message_batch_size", "Sends written by one statement.", buckets=(1, 2, 4, 8, 16, 32, 64, MAX_BATCH)
)

MESSAGE_POLICIES = ("messages", "user")

Answer: TypeAlias = Sent | SendThrottled | Exception


class PendingSend(NamedTuple):
    """A queued send with its rate decision. `admission` is the request's own rate check (None: already done).
    `requested_at` is the loop time at which the rate limiter was called."""

    draft: Draft
    decision: Awaitable[RateDecision]
    admission: Awaitable[None] | None
    requested_at: float


class MessageWriter:
    """Sends messages; `drain()` waits until the queue is written."""

    def __init__(self, database: Database, limiter: RateLimiter) -> None:
        self._database = database
        self._limiter = limiter
        self._sends: Batcher[PendingSend, Sent] = Batcher(
            self._write_batch,
            max_batch=MAX_BATCH,
            max_waiting=MAX_WAITING,
            concurrency=CONCURRENT_BATCHES,
            max_wait=QUEUE_SECONDS,
        )
        self._writing: set[asyncio.Task[None]] = set()

    async def send(self, draft: Draft, admission: Awaitable[None] | None = None) -> Sent:
        """Stores `draft` and returns once it is committed. Awaits `admission` alongside the message rate decision.

        Raises:
            NotFound, Forbidden, Unauthenticated: the sender may not write to the conversation.
            Invalid: `reply_to` is not a message of the conversation.
            Unprocessable: the `client_id` was used with another body.
            Throttled: the sender exceeded a rate limit.
            Unavailable: the database is down or busy, or the queue is full. Nothing is stored.
            OutcomeUnknown: the connection or the deadline was lost during COMMIT. The message may be stored.
        """
        self._sends.ensure_capacity()
        decision = self._limiter.submit(RateRequest(MESSAGE_POLICIES, str(draft.sender)))
        return await self._sends.call(PendingSend(draft, decision, admission, _now()))

    async def drain(self) -> None:
        """Waits until every queued send is answered and every abandoned write has ended."""
        await self._sends.drain()
        if self._writing:
            await asyncio.wait(set(self._writing))

    async def _write_batch(self, sends: Sequence[PendingSend]) -> Sequence[Sent | Exception]:
        drafts = [send.draft for send in sends]
        decisions = await self._decisions(sends)
        refusals = [await _refusal(send.admission) for send in sends]
        unique, positions, deciding = _deduplicate(drafts, decisions)
        admitted = {position for (position, _), refusal in zip(positions, refusals, strict=True) if refusal is None}
        outcomes = await self._write_allowed(unique, [decisions[i] for i in deciding], admitted)
        await self._limiter.give_back(
            [
                decision
                for i, (decision, (position, _)) in enumerate(zip(decisions, positions, strict=True))
                if not _counts(decision, outcomes[position], was_used=deciding[position] == i)
            ]
        )
        return [
            refusals[i] or _answer(drafts[i], unique[position], outcomes[position], is_repeat)
            for i, (position, is_repeat) in enumerate(positions)
        ]

    async def _decisions(self, sends: Sequence[PendingSend]) -> list[RateDecision]:
        """Returns the decisions, and repeats those older than LATE_SECONDS: such a take may have left the window by
        the time the message is stored, which would allow as many again."""
        decisions = [await send.decision for send in sends]
        late = [i for i, send in enumerate(sends) if _now() - send.requested_at > LATE_SECONDS]
        if late:
            await self._limiter.give_back([decisions[i] for i in late])
            fresh = await self._limiter.take([decisions[i].request for i in late])
            for i, decision in zip(late, fresh, strict=True):
                decisions[i] = decision
        return decisions

    async def _write_allowed(
        self, drafts: Sequence[Draft], decisions: Sequence[RateDecision], admitted: Collection[int]
    ) -> list[Sent | Exception]:
        """Writes the allowed drafts, and looks up throttled drafts that have a key: they may be replays."""
        selected = [
            i
            for i, (draft, decision) in enumerate(zip(drafts, decisions, strict=True))
            if i in admitted and (decision.allowed or draft.key is not None)
        ]
        written = await self._write([drafts[i] for i in selected], [not decisions[i].allowed for i in selected])
        answers: list[Sent | Exception] = [
            unavailable() if decision.allowed else decision.error() for decision in decisions
        ]
        for i, outcome in zip(selected, written, strict=True):
            if not isinstance(outcome, SendThrottled):
                answers[i] = outcome
        return answers

    async def _write(self, drafts: list[Draft], lookups: list[bool]) -> list[Answer]:
        """Returns one answer for each draft within WRITE_SECONDS. Parts that have not started by then are refused and
        never start. A running part may be stored: it is cancelled, and its later outcome is ignored."""
        answers: list[Answer] = [busy() for _ in drafts]
        if not drafts:
            return answers
        writing = asyncio.create_task(self._write_parts(drafts, lookups, answers, range(len(drafts))))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        if writing not in (await asyncio.wait({writing}, timeout=WRITE_SECONDS))[0]:
            # Do not await it: if the server does not react, the driver needs another ten seconds to give up.
            writing.cancel()
        return list(answers)

    async def _write_parts(
        self, drafts: list[Draft], lookups: list[bool], answers: list[Answer], places: Sequence[int]
    ) -> None:
        """Writes the drafts at `places` and puts their answers there. Splits what Postgres refused until the faulty
        draft is alone. Never rewrites what may be stored: neither after a lost connection nor after a deadline."""
        for part in await self._write_part(drafts, lookups, answers, places):
            await self._write_parts(drafts, lookups, answers, part)

    async def _write_part(
        self, drafts: list[Draft], lookups: list[bool], answers: list[Answer], places: Sequence[int]
    ) -> list[list[int]]:
        """Writes one part in one transaction. Returns the parts to retry if it was refused and several drafts may be
        at fault."""
        try:
            async with self._database.autocommit() as statement:
                _put(answers, places, [outcome_unknown() for _ in places])
                outcomes = await send_batch(statement, [drafts[i] for i in places], [lookups[i] for i in places])
                _put(answers, places, [busy() if isinstance(outcome, Replay) else outcome for outcome in outcomes])
        except ChatError as refusal:
            # A busy conversation must not fail the others; any other refusal applies to all of them.
            _put(answers, places, [refusal for _ in places])
            return (
                _split(drafts, places) if refusal.code == "busy" and _in_several_conversations(drafts, places) else []
            )
        except Exception as error:  # noqa: BLE001 - any error becomes the answer of the faulty draft
            if len(places) > 1:
                _put(answers, places, [busy() for _ in places])
                return _split(drafts, places)
            # The draft's own key exists already. Should be unreachable; the draft is not stored twice in any case.
            is_stored = getattr(error, "sqlstate", None) == UNIQUE_VIOLATION
            _put(answers, places, [outcome_unknown() if is_stored else error])
        else:
            BATCH_SIZE.observe(len(places))
            ACCEPTED.inc(sum(isinstance(outcome, Sent) and not outcome.replayed for outcome in outcomes))
            await self._read_replays(
                answers,
                {i: outcome for i, outcome in zip(places, outcomes, strict=True) if isinstance(outcome, Replay)},
            )
        return []

    async def _read_replays(self, answers: list[Answer], replays: Mapping[int, Replay]) -> None:
        """Puts the messages of `replays` at their places. If they cannot be read, only these drafts are refused: they
        are stored, and may be sent again."""
        if not replays:
            return
        try:
            _put(answers, list(replays), await self._database.read(read_replays, list(replays.values())))
        except Exception as error:  # noqa: BLE001 - any error becomes the answer of these drafts
            _put(answers, list(replays), [error for _ in replays])


def _put(answers: list[Answer], places: Sequence[int], new: Sequence[Answer]) -> None:
    for i, answer in zip(places, new, strict=True):
        answers[i] = answer


def _in_several_conversations(drafts: Sequence[Draft], places: Sequence[int]) -> bool:
    return len({drafts[i].conversation for i in places}) > 1


def _split(drafts: Sequence[Draft], places: Sequence[int]) -> list[list[int]]:
    """Splits by conversation if there are several, otherwise one by one."""
    by_conversation = _in_several_conversations(drafts, places)
    groups: dict[object, list[int]] = {}
    for i in places:
        groups.setdefault(drafts[i].conversation if by_conversation else i, []).append(i)
    return list(groups.values())


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _refusal(admission: Awaitable[None] | None) -> Exception | None:
    try:
        if admission is not None:
            await admission
    except ChatError as error:
        return error
    return None


def _deduplicate(
    drafts: Sequence[Draft], decisions: Sequence[RateDecision]
) -> tuple[list[Draft], list[tuple[int, bool]], list[int]]:
    """Returns the drafts without repeated keys; for each draft (its index there, whether it repeats a key); and for
    each of them the index of the draft whose decision applies: the first one allowed."""
    unique: list[Draft] = []
    index_by_key: dict[object, int] = {}
    positions: list[tuple[int, bool]] = []
    deciding: list[int] = []
    for i, draft in enumerate(drafts):
        position = index_by_key.get(draft.key) if draft.key is not None else None
        positions.append((len(unique), False) if position is None else (position, True))
        if position is None:
            if draft.key is not None:
                index_by_key[draft.key] = len(unique)
            unique.append(draft)
            deciding.append(i)
        elif decisions[i].allowed and not decisions[deciding[position]].allowed:
            deciding[position] = i
    return unique, positions, deciding


def _answer(draft: Draft, written: Draft, outcome: Sent | Exception, is_repeat: bool) -> Sent | Exception:
    """Returns the answer of a draft, given the outcome of `written`: itself, or the earlier draft with its key."""
    if not is_repeat:
        return outcome
    if isinstance(outcome, Sent):
        return (
            Sent(outcome.message, replayed=True)
            if draft.body.digest() == written.body.digest()
            else idempotency_mismatch()
        )
    return outcome


def _counts(decision: RateDecision, outcome: Sent | Exception, *, was_used: bool) -> bool:
    """Returns whether a decision keeps counting as an attempt, and as taken if allowed: true if the message is or may
    be stored, or the limiter refused it; false for replays, for other refusals, and for decisions that no write
    used."""
    if isinstance(outcome, Throttled):
        return not decision.allowed
    return was_used and (not outcome.replayed if isinstance(outcome, Sent) else isinstance(outcome, OutcomeUnknown))
