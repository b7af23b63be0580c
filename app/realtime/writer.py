"""The writer: all sends of this process, REST and socket, in group commits. Acknowledged means committed.

The throttles are asked as a send arrives, with whatever else asks them then. Sends that arrive while two writes are in
flight wait for the next one, and one statement writes them all. Two, so that one is prepared while the other waits for
Postgres; the conversations' locks, taken in order, keep them apart. A flight's order: wait for the verdicts, fold equal
keys, drop what was not admitted, write and commit, hand over (cache and bus, by the database's edge), give back what
was taken and not stored. A batch that fails is run again conversation by conversation, then message by message, so
that what cannot be stored fails alone; a conversation whose lock was not to be had answers 503 instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Sequence
from typing import NamedTuple

from app.db import Database
from app.domain.errors import ChatError, Mismatch, OutcomeUnknown, Unavailable
from app.domain.errors import Throttled as Refused
from app.domain.messages.sending import Draft, Outcome, Sent, Throttled, send_batch
from app.realtime.batching import Batcher
from app.realtime.throttles import Demand, Throttles, Verdict

LARGEST_BATCH = 128
FLIGHTS = 2
MOST_WAITING = 4_000
"""About a second and a half of sends at full speed: more waiting would answer after clients gave up."""

LATE_SECONDS = 0.25
"""A take counts for half a second longer than a minute (`throttles.lua`); the other half is for the flight itself."""

MESSAGE_POLICIES = ("messages", "user")


class Letter(NamedTuple):
    """A send, what the throttles of messages say to it, and whether the request it came in may be made at all (None:
    that was judged before). `asked` is when they were, on the loop's clock."""

    draft: Draft
    verdict: Awaitable[Verdict]
    admission: Awaitable[None] | None
    asked: float


class Writer:
    """Sends messages; `stop()` lets what is queued be written."""

    def __init__(self, database: Database, throttles: Throttles) -> None:
        self._database = database
        self._throttles = throttles
        self._sends: Batcher[Letter, Sent] = Batcher(
            self._fly, largest=LARGEST_BATCH, waiting=MOST_WAITING, flights=FLIGHTS
        )

    async def send(self, draft: Draft, admission: Awaitable[None] | None = None) -> Sent:
        """Store `draft` and answer once it is committed. `admission` is waited for beside the throttles of messages.

        Raises:
            NotFound, Forbidden, Unauthenticated: the sender may not write there.
            Invalid: `reply_to` is no message of the conversation.
            Mismatch: the `client_id` was used with another body.
            Throttled: the sender has sent too much.
            Unavailable, OutcomeUnknown: the database is away, busy, or was lost during COMMIT.
        """
        self._sends.check()
        verdict = self._throttles.ask(Demand(MESSAGE_POLICIES, str(draft.sender)))
        return await self._sends.call(Letter(draft, verdict, admission, _now()))

    async def drain(self) -> None:
        """Wait until everything queued is answered."""
        await self._sends.drain()

    async def _fly(self, letters: Sequence[Letter]) -> Sequence[Sent | Exception]:
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

    async def _verdicts(self, letters: Sequence[Letter]) -> list[Verdict]:
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
        self, drafts: Sequence[Draft], verdicts: Sequence[Verdict], admitted: Collection[int]
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
            if not isinstance(outcome, Throttled):
                answers[at] = outcome
        return answers

    async def _write(self, drafts: list[Draft], lookups: list[bool]) -> list[Outcome | Exception]:
        if not drafts:
            return []
        try:
            async with self._database.single() as single:
                outcomes = await send_batch(single, drafts, lookups)
            return list(outcomes)
        except OutcomeUnknown as error:
            return [error] * len(drafts)
        except Unavailable as error:
            if error.code != "busy" or len({one.conversation for one in drafts}) == 1:
                return [error] * len(drafts)
        except Exception as error:  # noqa: BLE001 - a batch is split until what is at fault stands alone
            if len(drafts) == 1:
                return [error]
        return await self._write_apart(drafts, lookups)

    async def _write_apart(self, drafts: list[Draft], lookups: list[bool]) -> list[Outcome | Exception]:
        """Split a batch that failed: by conversation if it has several, else message by message."""
        several = len({one.conversation for one in drafts}) > 1
        groups: dict[object, list[int]] = {}
        for at, one in enumerate(drafts):
            groups.setdefault(one.conversation if several else at, []).append(at)
        answers: list[Outcome | Exception] = [Unavailable()] * len(drafts)
        for places in groups.values():
            part = await self._write([drafts[at] for at in places], [lookups[at] for at in places])
            for at, outcome in zip(places, part, strict=True):
                answers[at] = outcome
        return answers


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
    drafts: Sequence[Draft], verdicts: Sequence[Verdict]
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
        return Sent(outcome.message, replayed=True) if draft.digest() == first.digest() else Mismatch()
    return outcome


def _counts(verdict: Verdict, outcome: Sent | Exception, *, judged: bool) -> bool:
    """Whether it stays an attempt, and taken if it was allowed: that of what was stored or may have been, and of what
    a throttle refused; not of a replay, nor of what is refused for another reason. `judged`: the message went by it."""
    if isinstance(outcome, Refused):
        return not verdict.allowed
    return judged and (not outcome.replayed if isinstance(outcome, Sent) else isinstance(outcome, OutcomeUnknown))
