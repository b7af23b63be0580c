"""The writer: many sends, few transactions; acknowledged means committed; what cannot be stored fails alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import msgspec
import pytest
from sqlalchemy import text

from app.db import Database, open_engine
from app.domain.errors import ChatError, NotFound, Throttled, Unavailable, Unprocessable
from app.domain.events import Outgoing
from app.domain.messages.content import MessageBody
from app.domain.messages.schemas import Message
from app.domain.messages.send import Draft, Sent
from app.domain.rates import Rate
from app.domain.users.caller import Caller
from app.redis.client import RedisClient
from app.store import message_writer as writers
from app.store.message_writer import MessageWriter
from app.throttling.limiter import RateDecision, RateLimiter, RateRequest
from tests.support.drafts import draft
from tests.support.scene import Scene, group, person

PLENTY = {"messages": Rate(100_000, 60), "user": Rate(1_000_000, 86_400)}


def message(sent: Sent) -> Message:
    return msgspec.json.decode(sent.message, type=Message)


async def send_all(writer: MessageWriter, drafts: Sequence[Draft]) -> list[Sent | BaseException]:
    return await asyncio.gather(*(writer.send(one) for one in drafts), return_exceptions=True)


def codes(answers: Sequence[Sent | BaseException]) -> list[str]:
    return [one.code if isinstance(one, ChatError) else "sent" for one in answers]


class Commits:
    """Counts what a database hands over: once for each transaction."""

    def __init__(self, database: Database) -> None:
        self.count = 0
        self._hand_over = database.publish
        database.publish = self._count

    async def _count(self, events: list[Outgoing]) -> None:
        self.count += 1
        await self._hand_over(events)


async def test_sends_that_arrive_together_share_a_transaction(
    database: Database, scene: Scene, writer: MessageWriter
) -> None:
    commits = Commits(database)
    answers = await send_all(writer, [draft(scene.conversation, scene.ada, "text", str(n)) for n in range(100)])
    assert sorted(message(one).seq for one in answers if isinstance(one, Sent)) == list(range(1, 101))
    # Each flight takes half of those who wait, or what is not worth dividing: 50, 25, 24 and the last.
    assert commits.count <= 4


async def test_a_single_send_on_an_idle_server_starts_at_once(
    database: Database, scene: Scene, writer: MessageWriter
) -> None:
    commits = Commits(database)
    assert message(await writer.send(draft(scene.conversation, scene.ada, "text", "alone"))).seq == 1
    assert commits.count == 1


async def test_retries_in_one_batch_are_one_message(scene: Scene, writer: MessageWriter) -> None:
    one = draft(scene.conversation, scene.ada, "text", "hello", client_id="a")
    answers = await send_all(writer, [one] * 20)
    assert {message(answer).id for answer in answers if isinstance(answer, Sent)} == {message(answers[0]).id}  # type: ignore[arg-type]
    assert [answer.replayed for answer in answers if isinstance(answer, Sent)] == [False] + [True] * 19


async def test_a_reused_client_id_with_another_body_is_refused(scene: Scene, writer: MessageWriter) -> None:
    first = draft(scene.conversation, scene.ada, "text", "hello", client_id="a")
    other = draft(scene.conversation, scene.ada, "text", "bye", client_id="a")
    await writer.send(draft(scene.conversation, scene.ada, "text", "warm-up"))
    sent, refused = await send_all(writer, [first, other])
    assert isinstance(sent, Sent)
    assert isinstance(refused, Unprocessable)


async def test_a_send_without_admission_is_not_stored_and_leaves_the_quota(
    database: Database, scene: Scene, redis_client: RedisClient
) -> None:
    throttles = RateLimiter(redis_client, PLENTY | {"messages": Rate(2, 60), "requests": Rate(1, 60)})
    writer = MessageWriter(database, throttles)
    twins = [draft(scene.conversation, scene.ada, "text", "hello", client_id="a")] * 2
    admissions = [throttles.admission(str(scene.ada.user)) for _ in range(3)]
    first, twin, refused = await asyncio.gather(
        *(writer.send(one, admission) for one, admission in zip(twins, admissions, strict=False)),
        writer.send(draft(scene.conversation, scene.ada, "text", "no"), admissions[2]),
        return_exceptions=True,
    )
    assert codes([first, twin, refused]) == ["sent", "throttled", "throttled"]
    assert isinstance(refused, Throttled)
    assert refused.policy == "requests"
    # One of two was taken: the other is left.
    assert message(await writer.send(draft(scene.conversation, scene.ada, "text", "next"))).seq == 2
    with pytest.raises(Throttled) as full:
        await writer.send(draft(scene.conversation, scene.ada, "text", "too much"))
    assert full.value.policy == "messages"


async def test_a_message_sent_several_times_at_once_counts_once(
    database: Database, scene: Scene, redis_client: RedisClient
) -> None:
    writer = MessageWriter(database, RateLimiter(redis_client, PLENTY | {"messages": Rate(3, 60)}))
    twins = [draft(scene.conversation, scene.ada, "text", "hello", client_id="a")] * 3
    assert codes(await send_all(writer, twins)) == ["sent"] * 3
    more = [draft(scene.conversation, scene.ada, "text", f"more {n}") for n in range(3)]
    assert codes(await send_all(writer, more)) == ["sent", "sent", "throttled"]


@pytest.mark.parametrize("allowed", [0, 1])
async def test_two_simultaneous_sends_of_a_message_succeed_when_either_is_allowed(
    database: Database, scene: Scene, redis_client: RedisClient, monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    throttles = RateLimiter(redis_client, PLENTY | {"messages": Rate(2, 60)})
    judging = throttles.submit
    costs = iter([1, 3] if allowed == 0 else [3, 1])

    def in_turn(demand: RateRequest) -> asyncio.Future[RateDecision]:
        return judging(RateRequest(demand.policies, demand.subject, next(costs)))

    monkeypatch.setattr(throttles, "submit", in_turn)
    twins = [draft(scene.conversation, scene.ada, "text", "hello", client_id="a")] * 2
    assert codes(await send_all(MessageWriter(database, throttles), twins)) == ["sent", "sent"]
    monkeypatch.undo()
    more = [draft(scene.conversation, scene.ada, "text", f"more {n}") for n in range(2)]
    assert codes(await send_all(MessageWriter(database, throttles), more)) == ["sent", "throttled"]


async def test_a_send_that_waited_for_its_batch_is_counted_when_the_batch_starts(
    database: Database, scene: Scene, redis_client: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted at the request, a send that waited long would leave the throttle's window soon after it is stored."""
    throttles = RateLimiter(redis_client, PLENTY | {"messages": Rate(3, 60)})
    writer, taking, anew = MessageWriter(database, throttles), throttles.take, []

    async def take(demands: Sequence[RateRequest]) -> list[RateDecision]:
        anew.append(len(demands))
        return await taking(demands)

    monkeypatch.setattr(writers, "LATE_SECONDS", 0.1)
    monkeypatch.setattr(throttles, "take", take)
    async with database.transaction() as session:
        await session.execute(
            text("SELECT 1 FROM conversations WHERE id = :id FOR NO KEY UPDATE"), {"id": scene.conversation}
        )
        sends = []
        for n in range(writers.CONCURRENT_BATCHES + 1):
            sends.append(asyncio.create_task(writer.send(draft(scene.conversation, scene.ada, "text", str(n)))))
            await asyncio.sleep(0.05)
        anew.clear()
        await asyncio.sleep(0.2)
    assert codes(await asyncio.gather(*sends)) == ["sent"] * 3
    assert anew == [1]
    with pytest.raises(Throttled):
        await writer.send(draft(scene.conversation, scene.ada, "text", "too much"))


async def test_a_throttled_sender_is_refused_but_a_replay_is_answered(
    database: Database, scene: Scene, redis_client: RedisClient
) -> None:
    writer = MessageWriter(database, RateLimiter(redis_client, PLENTY | {"messages": Rate(2, 60)}))
    known = draft(scene.conversation, scene.ada, "text", "one", client_id="a")
    first = await writer.send(known)
    await writer.send(draft(scene.conversation, scene.ada, "text", "two"))
    with pytest.raises(Throttled) as refused:
        await writer.send(draft(scene.conversation, scene.ada, "text", "three"))
    assert (refused.value.policy, refused.value.limit) == ("messages", 2)
    with pytest.raises(Throttled):
        await writer.send(draft(scene.conversation, scene.ada, "text", "four", client_id="b"))
    again = await writer.send(known)
    assert again.replayed
    assert message(again).id == message(first).id
    assert message(await writer.send(draft(scene.conversation, scene.linus, "text", "mine"))).seq == 3


async def test_a_send_that_is_not_stored_leaves_the_quota(
    database: Database, scene: Scene, redis_client: RedisClient
) -> None:
    writer = MessageWriter(database, RateLimiter(redis_client, PLENTY | {"messages": Rate(3, 60)}))
    known = draft(scene.conversation, scene.ada, "text", "one", client_id="a")
    await writer.send(known)
    for _ in range(5):
        await writer.send(known)
        with pytest.raises(NotFound):
            await writer.send(draft(uuid4(), scene.ada, "text", "nowhere"))
    await writer.send(draft(scene.conversation, scene.ada, "text", "two"))
    await writer.send(draft(scene.conversation, scene.ada, "text", "three"))
    with pytest.raises(Throttled):
        await writer.send(draft(scene.conversation, scene.ada, "text", "four"))


async def test_a_message_that_postgres_rejects_fails_alone(scene: Scene, writer: MessageWriter) -> None:
    def unchecked(body: str) -> Draft:
        return Draft(
            scene.conversation,
            scene.ada.user,
            scene.ada.session,
            MessageBody(message_type="text", text=body, media_url=""),
        )

    await writer.send(unchecked("warm-up"))
    answers = await send_all(writer, [unchecked("good"), unchecked("NUL \x00"), unchecked("good too")])
    assert [isinstance(answer, Sent) for answer in answers] == [True, False, True]


async def test_a_locked_conversation_is_busy_while_others_are_written(
    database: Database, scene: Scene, writer: MessageWriter
) -> None:
    open_room = await group(database, scene.ada)
    async with database.transaction() as session:
        await session.execute(
            text("SELECT 1 FROM conversations WHERE id = :id FOR NO KEY UPDATE"), {"id": scene.conversation}
        )
        drafts = [draft(room, scene.ada, "text", "hello") for room in (open_room, scene.conversation, open_room)]
        answers = await send_all(writer, drafts)
    assert codes(answers) == ["sent", "busy", "sent"]


async def test_a_writer_with_a_full_queue_refuses(
    database: Database, scene: Scene, redis_client: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "MAX_WAITING", 10)
    writer = MessageWriter(database, RateLimiter(redis_client, PLENTY))
    answers = await send_all(writer, [draft(scene.conversation, scene.ada, "text", str(n)) for n in range(40)])
    assert codes(answers).count("sent") == 10
    assert codes(answers).count("overloaded") == 30


async def test_a_client_that_hangs_up_cancels_nothing(database: Database, scene: Scene, writer: MessageWriter) -> None:
    sending = asyncio.create_task(writer.send(draft(scene.conversation, scene.ada, "text", "hello")))
    await asyncio.sleep(0)
    sending.cancel()
    await writer.drain()
    async with database.transaction() as session:
        count = await session.execute(
            text("SELECT count(*) FROM messages WHERE conversation_id = :id"), {"id": scene.conversation}
        )
        assert count.scalar_one() == 1


async def test_without_a_database_a_send_is_unavailable_at_once(scene: Scene, redis_client: RedisClient) -> None:
    nowhere = Database(open_engine("postgresql+psycopg://chat@127.0.0.1:1/chat"))
    with pytest.raises(Unavailable):
        await MessageWriter(nowhere, RateLimiter(redis_client, PLENTY)).send(
            draft(scene.conversation, scene.ada, "text", "hello")
        )
    await nowhere.close()


async def test_a_refused_send_publishes_no_event(
    database: Database, scene: Scene, writer: MessageWriter, received: list[Outgoing]
) -> None:
    received.clear()
    outsider: Caller = await person(database, "Mallory")
    received.clear()
    await send_all(
        writer, [draft(scene.conversation, outsider, "text", "hello"), draft(uuid4(), outsider, "text", "x")]
    )
    assert received == []
