"""Mails of a broadcast: in batches within its rate, once to each account, despite crashes and concurrent runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.domain.broadcasts import broadcast_mail, mail_batches, publish, schedule
from app.domain.broadcasts.schemas import Broadcast, MailProgress
from app.domain.mails import outbox
from tests.support.broadcasts import Crowd


async def post(crowd: Crowd) -> int | None:
    async with crowd.database.transaction() as session:
        return await mail_batches.post_next(session)


async def settle(crowd: Crowd) -> int:
    async with crowd.database.transaction() as session:
        return await mail_batches.settle_next(session)


async def progress(crowd: Crowd, broadcast: Broadcast) -> MailProgress:
    mails = (await crowd.look(broadcast)).mails
    assert mails is not None
    return mails


async def leave(crowd: Crowd, broadcast: Broadcast, outcome: str = "") -> list[str]:
    """Claim all mails as a worker does, and settle them as `outcome`, or as their letters say; what they were."""
    outcomes = []
    for (mail,) in crowd.sql("SELECT mail_id FROM broadcast_mails WHERE broadcast_id = %s", broadcast.id):
        async with crowd.database.transaction() as session:
            claimed = await outbox.claim(session, mail)
            assert claimed is not None
            letter = await broadcast_mail.compose(session, claimed)
            outcomes.append(letter if isinstance(letter, str) else outcome or "sent")
            await outbox.settle(session, mail, outcomes[-1])
    return outcomes


async def test_a_batch_holds_five_seconds_of_mails_and_the_next_waits_five_seconds(crowd: Crowd) -> None:
    people = crowd.people(120)
    made = await crowd.plan(mail=True)
    assert (made.state, made.mails) == (
        "mailing",
        MailProgress(planned=120, posted=0, sent=0, refused=0, unknown=0, dropped=0),
    )
    assert [await post(crowd), await post(crowd)] == [50, None]
    crowd.earlier(made, 5)
    assert [await post(crowd), await post(crowd)] == [50, None]
    crowd.earlier(made, 5)
    assert await post(crowd) == 20
    crowd.earlier(made, 5)
    assert [await post(crowd), await post(crowd)] == [0, None]
    assert crowd.posted(made) == sorted(people)
    done = await crowd.look(made)
    assert done.state == "sent"
    assert (await progress(crowd, made)).posted == 120


async def test_a_late_round_catches_up_one_batch_at_most(crowd: Crowd) -> None:
    crowd.people(300)
    made = await crowd.plan(mail=True)
    assert await post(crowd) == 50
    crowd.earlier(made, 3_600)
    assert [await post(crowd), await post(crowd), await post(crowd)] == [50, 50, None]


async def test_concurrent_rounds_post_each_mail_once(crowd: Crowd) -> None:
    people = crowd.people(1_200)
    made = await crowd.plan(mail=True, mails_per_second=1_000)
    for _ in range(8):
        await asyncio.gather(*(post(crowd) for _ in range(4)))
        crowd.earlier(made, 5)
    assert crowd.posted(made) == sorted(people)
    assert crowd.sql("SELECT count(*), count(DISTINCT user_id) FROM mails WHERE kind = 'broadcast'") == [(1_200,) * 2]


async def test_a_round_that_fails_posts_nothing_and_the_next_continues_there(crowd: Crowd) -> None:
    people = crowd.people(30)
    made = await crowd.plan(mail=True, mails_per_second=2)

    async def die() -> None:
        async with crowd.database.transaction() as session:
            assert await mail_batches.post_next(session) == 10
            raise KeyError

    for _ in range(3):
        with pytest.raises(KeyError):
            await die()
        assert await post(crowd) is not None
        crowd.earlier(made, 5)
    assert crowd.posted(made) == sorted(people)
    assert crowd.sql("SELECT count(*) FROM mails WHERE kind = 'broadcast'") == [(30,)]


async def test_only_open_accounts_older_than_the_broadcast_are_mailed(crowd: Crowd) -> None:
    there = crowd.people(3)
    moment = datetime.now(UTC)
    for state in ({"suspended_at": moment}, {"closed_at": moment}, {"is_active": False}):
        crowd.people(1, **state)
    made = await crowd.plan(mail=True)
    crowd.people(2)
    assert await post(crowd) == 3
    assert crowd.posted(made) == sorted(there)
    assert (await progress(crowd, made)).planned == 3


async def test_only_the_audience_is_mailed(crowd: Crowd) -> None:
    ada, linus, gone = crowd.people(3)
    (root,) = crowd.people(1, is_operator=True)
    group = group_of(crowd, ada, linus, gone)
    crowd.sql("UPDATE memberships SET left_at = now(), ended = 'left' WHERE user_id = %s", gone)
    to_group = await crowd.plan(mail=True, to="conversations", conversations=[group])
    to_operators = await crowd.plan(mail=True, to="operators")
    while await post(crowd) is not None:
        crowd.earlier(to_group, 5)
        crowd.earlier(to_operators, 5)
    assert crowd.posted(to_group) == sorted([ada, linus])
    assert crowd.posted(to_operators) == [root]


async def test_cancelling_stops_posting_and_drops_the_queued_mails(crowd: Crowd) -> None:
    crowd.people(100)
    made = await crowd.plan(mail=True)
    assert await post(crowd) == 50
    async with crowd.database.transaction() as session:
        await schedule.cancel(session, made.id, by=None)
    crowd.earlier(made, 5)
    assert await post(crowd) is None
    assert await leave(crowd, made) == ["canceled"] * 50
    assert await settle(crowd) == 50
    assert await progress(crowd, made) == MailProgress(planned=100, posted=50, sent=0, refused=0, unknown=0, dropped=50)


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [("sent", "sent"), ("refused", "refused"), ("failed", "refused"), ("unknown", "unknown"), ("gone", "dropped")],
)
async def test_each_mails_outcome_is_counted_once(crowd: Crowd, outcome: str, counted: str) -> None:
    crowd.people(7)
    made = await crowd.plan(mail=True)
    assert await post(crowd) == 7
    assert await settle(crowd) == 0
    await leave(crowd, made, outcome)
    assert sorted(await asyncio.gather(*(settle(crowd) for _ in range(3)))) == [0, 0, 7]
    assert await settle(crowd) == 0
    found = await progress(crowd, made)
    assert (getattr(found, counted), found.posted) == (7, 7)
    assert found.sent + found.refused + found.unknown + found.dropped == 7


async def test_a_mail_missing_from_the_outbox_counts_as_unknown(crowd: Crowd) -> None:
    crowd.people(2)
    made = await crowd.plan(mail=True)
    await post(crowd)
    crowd.sql("DELETE FROM mails WHERE kind = 'broadcast'")
    assert await settle(crowd) == 2
    assert (await progress(crowd, made)).unknown == 2


async def test_a_mail_to_an_account_closed_after_posting_is_dropped(crowd: Crowd) -> None:
    ada, _ = crowd.people(2)
    made = await crowd.plan(mail=True)
    await post(crowd)
    crowd.sql("UPDATE users SET closed_at = now() WHERE id = %s", ada)
    assert sorted(await leave(crowd, made)) == ["gone", "sent"]


async def test_recipients_are_deleted_after_ninety_days_and_the_counters_stay(crowd: Crowd) -> None:
    crowd.people(3)
    old, young, open_still = [await crowd.plan(mail=True) for _ in range(3)]
    while await post(crowd) is not None:
        for one in (old, young, open_still):
            crowd.earlier(one, 5)
    for one in (old, young):
        await leave(crowd, one)
    while await settle(crowd):
        continue
    for one, days in ((old, 91), (young, 89), (open_still, 91)):
        crowd.sql("UPDATE broadcasts SET sent_at = now() - make_interval(days => %s) WHERE id = %s", days, one.id)
    async with crowd.database.transaction() as session:
        assert await mail_batches.sweep(session) == 3
    assert [len(crowd.posted(one)) for one in (old, young, open_still)] == [0, 3, 3]
    assert (await progress(crowd, old)).sent == 3


async def test_a_due_broadcast_is_sent_once_and_others_wait(crowd: Crowd) -> None:
    crowd.people(1)
    later = await crowd.plan(send_at=datetime.now(UTC) + timedelta(hours=1), mail=True)
    canceled = await crowd.plan(send_at=datetime.now(UTC) + timedelta(hours=1))
    async with crowd.database.transaction() as session:
        await schedule.cancel(session, canceled.id, by=None)

    async def send_next() -> UUID | None:
        async with crowd.database.transaction() as session:
            return await publish.send_next(session)

    assert await send_next() is None
    assert crowd.announced == []
    crowd.sql("UPDATE broadcasts SET send_at = now()")
    sent = await asyncio.gather(*(send_next() for _ in range(4)))
    assert [one for one in sent if one] == [later.id]
    assert crowd.announced == [1]
    now = await crowd.look(later)
    assert (now.state, now.mails and now.mails.planned) == ("mailing", 1)
    assert await send_next() is None


def group_of(crowd: Crowd, *members: UUID) -> UUID:
    ((group,),) = crowd.sql(
        "INSERT INTO conversations (id, kind, is_private, created_by, creator_id) VALUES"
        " (gen_random_uuid(), 'group', true, %s, %s) RETURNING id",
        members[0],
        members[0],
    )
    for member in members:
        crowd.sql(
            "INSERT INTO memberships (conversation_id, user_id, created_position, position) VALUES (%s, %s, 1, 1)",
            group,
            member,
        )
    found: UUID = group
    return found
