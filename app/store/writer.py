"""The writer: all sends of this process, REST and socket, in group commits. Acknowledged means committed.

The throttles are asked as a send arrives, with whatever else asks them then. Sends that arrive while two writes are in
flight wait for the next one, and one statement writes them all. Two, so that one is prepared while the other waits for
Postgres; the conversations' locks, taken in order, keep them apart. A flight's order: wait for the verdicts, fold equal
keys, drop what was not admitted, write and commit, hand over (cache and bus, by the database's edge), give back what
was taken and not stored. A batch that Postgres refuses is run again conversation by conversation, then message by
message, so that what cannot be stored fails alone; a conversation whose lock was not to be had answers 503 instead.

What may be stored is never run again: when the connection or the time is lost while COMMIT may be under way, the answer
is `outcome_unknown`. Everything is answered in time: a send waits QUEUE_SECONDS for its flight at most, or until the
next one leaves, and a flight writes for WRITE_SECONDS at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Sequence
from typing import NamedTuple

from app.batching import Batcher
from app.db import Database
from app.db.outages import busy
from app.domain.errors import ChatError, OutcomeUnknown, Unavailable, Unprocessable
from app.domain.errors import Throttled as Refused
from app.domain.messages.send import Draft, Outcome, SendThrottled, Sent, send_batch
from app.throttling.limiter import RateDecision, RateLimiter, RateRequest

MAX_BATCH = 128
CONCURRENT_BATCHES = 2
MAX_WAITING = 4_000
"""About a second and a half of sends at full speed: more waiting would answer after clients gave up."""

QUEUE_SECONDS = 12.0
WRITE_SECONDS = 12.0
"""Longer than `statement_timeout`, which says for certain that nothing is stored: only a COMMIT lasts until then."""

UNIQUE_VIOLATION = "23505"

LATE_SECONDS = 0.25
"""A take counts for half a second longer than a minute (`limiter.lua`); the other half is for the flight itself."""

MESSAGE_POLICIES = ("messages", "user")


class PendingSend(NamedTuple):
    """A send, what the throttles of messages say to it, and whether the request it came in may be made at all (None:
    that was judged before). `asked` is when they were, on the loop's clock."""

    draft: Draft
    verdict: Awaitable[RateDecision]
    admission: Awaitable[None] | None
    asked: float


class Writer:
    """Sends messages; `stop()` lets what is queued be written."""

    def __init__(self, database: Database, throttles: RateLimiter) -> None:
        self._database = database
        self._throttles = throttles
        self._sends: Batcher[PendingSend, Sent] = Batcher(
            self._fly, largest=MAX_BATCH, waiting=MAX_WAITING, flights=CONCURRENT_BATCHES, patience=QUEUE_SECONDS
        )
        self._writing: set[asyncio.Task[None]] = set()

    async def send(self, draft: Draft, admission: Awaitable[None] | None = None) -> Sent:
        """Store `draft` and answer once it is committed. `admission` is waited for beside the throttles of messages.

        Raises:
            NotFound, Forbidden, Unauthenticated: the sender may not write there.
            Invalid: `reply_to` is no message of the conversation.
            Mismatch: the `client_id` was used with another body.
            Throttled: the sender has sent too much.
            Unavailable: the database is away or busy, or too much waits: it is not stored.
            OutcomeUnknown: the connection or the time was lost during COMMIT: it may be stored.
        """
        self._sends.check()
        verdict = self._throttles.ask(RateRequest(MESSAGE_POLICIES, str(draft.sender)))
        return await self._sends.call(PendingSend(draft, verdict, admission, _now()))

    async def drain(self) -> None:
        """Wait until everything queued is answered, and nothing is under way that was given up."""
        await self._sends.drain()
        if self._writing:
            await asyncio.wait(set(self._writing))

    async def _fly(self, letters: Sequence[PendingSend]) -> Sequence[Sent | Exception]:
        drafts = [one.draft for one in letters]
        verdicts = await self._verdicts(letters)
        refusals = [await _refusal(one.admission) for one in letters]
        first, twins, judges = _folded(drafts, verdicts)
        admitted = {at for (at, _), refusal in zip(twins, refusals, strict=True) if refusal is None}
        outcomes = await self._judge(first, [verdicts[judge] for judge in judges], admitted)
        await self._throttles.give_back(
            [
                verdict
                for i, (verdict, (at, _)) in enumerate(zip(verdicts, twins, strict=True))
                if not _counts(verdict, outcomes[at], judged=judges[at] == i)
            ]
        )
        return [
            refusals[i] or _answer(drafts[i], first[at], outcomes[at], i_is_twin)
            for i, (at, i_is_twin) in enumerate(twins)
        ]

    async def _verdicts(self, letters: Sequence[PendingSend]) -> list[RateDecision]:
        """Those that were given lately. Who has waited is judged anew: what counted then may count no more when it is
        stored, and would fit beside as much again."""
        verdicts = [await one.verdict for one in letters]
        late = [i for i, one in enumerate(letters) if _now() - one.asked > LATE_SECONDS]
        if late:
            await self._throttles.give_back([verdicts[i] for i in late])
            anew = await self._throttles.take([verdicts[i].demand for i in late])
            for i, verdict in zip(late, anew, strict=True):
                verdicts[i] = verdict
        return verdicts

    async def _judge(
        self, drafts: Sequence[Draft], verdicts: Sequence[RateDecision], admitted: Collection[int]
    ) -> list[Sent | Exception]:
        """Write what may go on: allowed ones, and throttled ones with a key, which may be replays."""
        going = [
            at
            for at, (one, v) in enumerate(zip(drafts, verdicts, strict=True))
            if at in admitted and (v.allowed or one.client_id is not None)
        ]
        written = await self._write([drafts[at] for at in going], [not verdicts[at].allowed for at in going])
        answers: list[Sent | Exception] = [Unavailable() if v.allowed else v.error() for v in verdicts]
        for at, outcome in zip(going, written, strict=True):
            if not isinstance(outcome, SendThrottled):
                answers[at] = outcome
        return answers

    async def _write(self, drafts: list[Draft], lookups: list[bool]) -> list[Outcome | Exception]:
        """One answer for each within WRITE_SECONDS. By then a part that has not begun is refused, and never begins; the
        one under way may be stored: it is interrupted, and what becomes of it is nobody's answer."""
        answers: list[Outcome | Exception] = [busy() for _ in drafts]
        if not drafts:
            return answers
        writing = asyncio.create_task(self._write_parts(drafts, lookups, answers, range(len(drafts))))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        if writing not in (await asyncio.wait({writing}, timeout=WRITE_SECONDS))[0]:
            # Not waited for: where the server does not react, giving up takes the driver another ten seconds.
            writing.cancel()
        return list(answers)

    async def _write_parts(
        self, drafts: list[Draft], lookups: list[bool], answers: list[Outcome | Exception], places: Sequence[int]
    ) -> None:
        """Write the drafts at `places`, and put their answers there. What Postgres refused is split, until what is at
        fault stands alone. What may be stored is never written again: not after a lost connection, nor a deadline."""
        for part in await self._write_part(drafts, lookups, answers, places):
            await self._write_parts(drafts, lookups, answers, part)

    async def _write_part(
        self, drafts: list[Draft], lookups: list[bool], answers: list[Outcome | Exception], places: Sequence[int]
    ) -> list[list[int]]:
        """In one transaction; into what it is split when it was refused and more than one draft may be at fault."""
        try:
            async with self._database.single() as single:
                _put(answers, places, [OutcomeUnknown() for _ in places])
                outcomes = await send_batch(single, [drafts[at] for at in places], [lookups[at] for at in places])
                _put(answers, places, outcomes)
            return []
        except ChatError as refused:
            # A busy conversation is not the others' fault; anything else is so for all of them.
            _put(answers, places, [refused for _ in places])
            return _split(drafts, places) if refused.code == "busy" and _several(drafts, places) else []
        except Exception as broken:  # noqa: BLE001 - whatever it is, it is the answer of the draft that is at fault
            if len(places) > 1:
                _put(answers, places, [busy() for _ in places])
                return _split(drafts, places)
            # Its own key: it is there. No way leads here, and if one did it would not be stored twice.
            is_there = getattr(broken, "sqlstate", None) == UNIQUE_VIOLATION
            _put(answers, places, [OutcomeUnknown() if is_there else broken])
            return []


def _put(answers: list[Outcome | Exception], places: Sequence[int], these: Sequence[Outcome | Exception]) -> None:
    for at, answer in zip(places, these, strict=True):
        answers[at] = answer


def _several(drafts: Sequence[Draft], places: Sequence[int]) -> bool:
    return len({drafts[at].conversation for at in places}) > 1


def _split(drafts: Sequence[Draft], places: Sequence[int]) -> list[list[int]]:
    """By conversation if there are several, else one by one."""
    several = _several(drafts, places)
    groups: dict[object, list[int]] = {}
    for at in places:
        groups.setdefault(drafts[at].conversation if several else at, []).append(at)
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


def _folded(
    drafts: Sequence[Draft], verdicts: Sequence[RateDecision]
) -> tuple[list[Draft], list[tuple[int, bool]], list[int]]:
    """The drafts without repetitions of a key; for each draft (its place there, whether it is a repetition); and for
    each place whose verdict it goes by: that of the first who is allowed."""
    first: list[Draft] = []
    places: dict[object, int] = {}
    twins: list[tuple[int, bool]] = []
    judges: list[int] = []
    for i, one in enumerate(drafts):
        at = places.get(one.key) if one.key is not None else None
        twins.append((len(first), False) if at is None else (at, True))
        if at is None:
            if one.key is not None:
                places[one.key] = len(first)
            first.append(one)
            judges.append(i)
        elif verdicts[i].allowed and not verdicts[judges[at]].allowed:
            judges[at] = i
    return first, twins, judges


def _answer(draft: Draft, first: Draft, outcome: Sent | Exception, is_twin: bool) -> Sent | Exception:
    """What a draft is told, when it or its twin in the same batch had this outcome."""
    if not is_twin:
        return outcome
    if isinstance(outcome, Sent):
        return Sent(outcome.message, replayed=True) if draft.digest() == first.digest() else Unprocessable()
    return outcome


def _counts(verdict: RateDecision, outcome: Sent | Exception, *, judged: bool) -> bool:
    """Whether it stays an attempt, and taken if it was allowed: that of what was stored or may have been, and of what
    a throttle refused; not of a replay, nor of what is refused for another reason. `judged`: the message went by it."""
    if isinstance(outcome, Refused):
        return not verdict.allowed
    return judged and (not outcome.replayed if isinstance(outcome, Sent) else isinstance(outcome, OutcomeUnknown))
