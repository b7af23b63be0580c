"""Sending: the log has no holes, a retry is the same message, and only members write."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import func, select, text

from app.db import Database, open_engine
from app.domain.conversations.models import Conversation, Membership
from app.domain.errors import Forbidden, Invalid, NotFound, Unauthenticated, Unavailable, Unprocessable
from app.domain.events import LogChange, Outgoing
from app.domain.messages.models import MessageRow
from app.domain.messages.schemas import Message
from app.domain.messages.send import Draft, Outcome, Replay, SendThrottled, Sent, read_replays, send_batch
from app.domain.users.caller import Caller
from tests.support.drafts import draft
from tests.support.scene import Scene, group, person, set_up


async def send(database: Database, *drafts: Draft, lookups: list[bool] | None = None) -> list[Outcome]:
    async with database.transaction() as session:
        outcomes = await send_batch(session, drafts, lookups)
        replays = [one for one in outcomes if isinstance(one, Replay)]
        replayed = iter(await read_replays(session, replays))
        return [next(replayed) if isinstance(one, Replay) else one for one in outcomes]


def message(outcome: Outcome) -> Message:
    assert isinstance(outcome, Sent)
    return msgspec.json.decode(outcome.message, type=Message)


async def counters(database: Database, conversation: UUID) -> tuple[int, int, int, int]:
    """(last_seq, position, count of messages, highest seq)"""
    async with database.transaction() as session:
        row = await session.get_one(Conversation, conversation)
        held = await session.execute(
            select(func.count(), func.max(MessageRow.seq)).where(MessageRow.conversation_id == conversation)
        )
        count, highest = held.one()
        return row.last_seq, row.position, count, highest or 0


async def wait_until_blocked(database: Database) -> None:
    """Until a connection of this database waits for a lock; each look is a transaction of its own."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with asyncio.timeout(5):
        while True:
            async with database.transaction() as session:
                if (await session.execute(waiting)).scalar_one():
                    return


async def test_messages_are_numbered_without_gaps_and_each_moves_the_position(
    database: Database, scene: Scene, received: list[Outgoing]
) -> None:
    received.clear()
    outcomes = await send(
        database, *(draft(scene.conversation, by, "text", "hello") for by in (scene.ada, scene.linus, scene.ada))
    )
    assert [message(one).seq for one in outcomes] == [1, 2, 3]
    assert [message(one).position for one in outcomes] == [5, 6, 7]
    assert await counters(database, scene.conversation) == (3, 7, 3, 3)
    changes = [one for one in received if isinstance(one, LogChange)]
    assert [(one.prev, one.position, one.last_seq) for one in changes] == [(4, 5, 1), (5, 6, 2), (6, 7, 3)]


async def test_the_published_message_equals_the_response(
    database: Database, scene: Scene, received: list[Outgoing]
) -> None:
    received.clear()
    (outcome,) = await send(database, draft(scene.conversation, scene.ada, "image", None, "https://example.org/a.png"))
    (change,) = received
    assert isinstance(outcome, Sent)
    assert isinstance(change, LogChange)
    assert change.data == outcome.message
    assert message(outcome).sent_by.first_name == "Ada"


async def test_a_retry_returns_the_same_message_and_another_client_id_makes_another(
    database: Database, scene: Scene
) -> None:
    first, again, other = [
        (await send(database, draft(scene.conversation, scene.ada, "text", "hello", client_id=key)))[0]
        for key in ("a", "a", "b")
    ]
    assert isinstance(again, Sent)
    assert again.replayed
    assert message(again) == message(first)
    assert message(other).seq == 2


async def test_two_senders_may_use_the_same_client_id(database: Database, scene: Scene) -> None:
    drafts = [draft(scene.conversation, by, "text", "hello", client_id="a") for by in (scene.ada, scene.linus)]
    assert [message(one).seq for one in await send(database, *drafts)] == [1, 2]


async def test_a_client_id_with_another_body_is_refused(database: Database, scene: Scene) -> None:
    await send(database, draft(scene.conversation, scene.ada, "text", "hello", client_id="a"))
    (outcome,) = await send(database, draft(scene.conversation, scene.ada, "text", "bye", client_id="a"))
    assert isinstance(outcome, Unprocessable)
    assert (await counters(database, scene.conversation))[2] == 1


async def test_an_invalid_draft_fails_alone(database: Database, scene: Scene) -> None:
    good, outsider, unknown, reply, last = await send(
        database,
        draft(scene.conversation, scene.ada, "text", "one"),
        draft(scene.conversation, scene.eve, "text", "two"),
        draft(uuid4(), scene.ada, "text", "three"),
        draft(scene.conversation, scene.ada, "text", "four", reply_to=9),
        draft(scene.conversation, scene.linus, "text", "five"),
    )
    assert isinstance(outsider, NotFound)
    assert isinstance(unknown, NotFound)
    assert str(outsider) == str(unknown), "a private conversation seen from outside does not exist"
    assert isinstance(reply, Invalid)
    assert [message(good).seq, message(last).seq] == [1, 2]
    assert await counters(database, scene.conversation) == (2, 6, 2, 2)


async def test_an_outsider_of_a_public_conversation_is_forbidden(database: Database) -> None:
    scene = await set_up(database, is_private=False)
    (outcome,) = await send(database, draft(scene.conversation, scene.eve, "text", "hello"))
    assert isinstance(outcome, Forbidden)


async def test_a_reply_names_a_message_of_this_conversation(database: Database, scene: Scene) -> None:
    await send(database, draft(scene.conversation, scene.ada, "text", "hello"))
    (outcome,) = await send(database, draft(scene.conversation, scene.linus, "text", "hi", reply_to=1))
    assert message(outcome).reply_to == 1


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE users SET suspended_at = now() WHERE id = :user",
        "UPDATE users SET closed_at = now() WHERE id = :user",
        "UPDATE users SET is_active = false WHERE id = :user",
        "UPDATE login_sessions SET revoked_at = now() WHERE user_id = :user",
        "UPDATE login_sessions SET expires_at = now() WHERE user_id = :user",
    ],
)
async def test_an_ended_account_or_login_sends_nothing(database: Database, scene: Scene, ending: str) -> None:
    async with database.transaction() as session:
        await session.execute(text(ending), {"user": scene.linus.user})
    (outcome,) = await send(database, draft(scene.conversation, scene.linus, "text", "hello"))
    assert isinstance(outcome, Unauthenticated)
    assert (await counters(database, scene.conversation))[0] == 0


async def test_a_borrowed_login_sends_nothing(database: Database, scene: Scene) -> None:
    forged = Caller(user=scene.ada.user, session=scene.eve.session)
    (outcome,) = await send(database, draft(scene.conversation, forged, "text", "hello"))
    assert isinstance(outcome, Unauthenticated)


async def test_a_lookup_finds_a_replay_and_stores_nothing(database: Database, scene: Scene) -> None:
    known = draft(scene.conversation, scene.ada, "text", "hello", client_id="a")
    await send(database, known)
    found, not_found = await send(
        database, known, draft(scene.conversation, scene.ada, "text", "more", client_id="b"), lookups=[True, True]
    )
    assert isinstance(found, Sent)
    assert found.replayed
    assert isinstance(not_found, SendThrottled)
    assert (await counters(database, scene.conversation))[2] == 1


async def test_sending_moves_the_senders_read_cursor_and_no_other(database: Database, scene: Scene) -> None:
    await send(database, *(draft(scene.conversation, scene.ada, "text", "hello") for _ in range(3)))
    async with database.transaction() as session:
        ada = await session.get_one(Membership, (scene.conversation, scene.ada.user))
        linus = await session.get_one(Membership, (scene.conversation, scene.linus.user))
    assert (ada.read_seq, linus.read_seq) == (3, 0)


async def test_batches_that_overlap_neither_deadlock_nor_leave_gaps(database: Database, scene: Scene) -> None:
    ada = scene.ada
    rooms = [await group(database, ada) for _ in range(4)]

    async def batches(order: list[UUID]) -> None:
        for _ in range(15):
            await send(database, *(draft(room, ada, "text", "hello") for room in order))

    await asyncio.gather(batches(rooms), batches(rooms[::-1]), batches(rooms[::-1]), batches(rooms))
    for room in rooms:
        last_seq, _, count, highest = await counters(database, room)
        assert last_seq == count == highest == 60


async def test_retries_in_parallel_store_one_message(database: Database, scene: Scene) -> None:
    one = draft(scene.conversation, scene.ada, "text", "hello", client_id="a")
    outcomes = await asyncio.gather(*(send(database, one) for _ in range(10)))
    assert {message(outcome).id for (outcome,) in outcomes} == {message(outcomes[0][0]).id}
    assert await counters(database, scene.conversation) == (1, 5, 1, 1)


async def test_nothing_is_stored_after_a_removal_commits(database: Database, scene: Scene) -> None:
    """The send waits for the removal's lock, and then sees it: one statement would look at what was before."""
    removed = asyncio.Event()

    async def remove() -> None:
        async with database.transaction() as session:
            await session.execute(
                text("SELECT 1 FROM conversations WHERE id = :id FOR NO KEY UPDATE"), {"id": scene.conversation}
            )
            removed.set()
            await wait_until_blocked(database)
            await session.execute(
                text("UPDATE memberships SET left_at = now(), ended = 'removed' WHERE user_id = :user"),
                {"user": scene.linus.user},
            )

    async def late() -> list[Outcome]:
        await removed.wait()
        return await send(database, draft(scene.conversation, scene.linus, "text", "still here?"))

    _, (outcome,) = await asyncio.gather(remove(), late())
    assert isinstance(outcome, NotFound)
    assert (await counters(database, scene.conversation))[2] == 0


async def test_a_lock_held_elsewhere_is_reported_within_the_deadline(database: Database, scene: Scene) -> None:
    async with database.transaction() as session:
        await session.execute(
            text("SELECT 1 FROM conversations WHERE id = :id FOR NO KEY UPDATE"), {"id": scene.conversation}
        )
        with pytest.raises(Unavailable) as refused:
            await send(database, draft(scene.conversation, scene.linus, "text", "hello"))
    assert refused.value.code == "busy"


async def test_a_full_batch_of_many_senders_keeps_its_order(database: Database, scene: Scene) -> None:
    people = [await person(database, f"P{number}") for number in range(8)]
    room = await group(database, people[0], *people[1:])
    outcomes = await send(database, *(draft(room, by, "text", "hello") for by in people for _ in range(16)))
    assert [message(one).seq for one in outcomes] == list(range(1, 129))


async def test_the_deadline_of_transactions_outlives_a_transaction_that_was_rolled_back(database_url: str) -> None:
    fresh = Database(open_engine(database_url.replace("postgresql:", "postgresql+psycopg:"), pool_size=1))
    limit = text("SHOW transaction_timeout")
    with pytest.raises(LookupError):
        async with fresh.transaction():
            raise LookupError
    async with fresh.transaction() as session:
        assert (await session.execute(limit)).scalar_one() == "15s"
    await fresh.close()
