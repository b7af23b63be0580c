"""Which members are notified, once each, and the reason for the others."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from app.domain.conversations import groups, members
from app.domain.mails.models import Mail
from app.domain.messages import edit
from app.domain.messages.mentions import names_in
from app.domain.notifications import queries
from app.domain.notifications.in_app_notifications import NewNotice
from app.domain.notifications.schemas import Notification
from app.domain.users.caller import Caller
from app.domain.users.models import User
from tests.domain.notifications.conftest import Room, told_to


async def listed(room: Room, by: Caller) -> list[Notification]:
    async with room.database.transaction() as session:
        page = await queries.listing(session, by, limit=50, cursor=None)
    return [one for one in page.items if one.conversation == room.conversation]


async def test_a_member_with_unread_messages_is_notified_once_after_the_delay(room: Room) -> None:
    scene = room.scene
    await room.say(scene.ada, ago=10)
    assert await room.decide() == []
    await room.age(25)
    received = await room.decide()
    assert told_to(received) == {scene.grace.user, scene.linus.user}
    assert [(one.notification.kind, one.notification.from_seq, one.notification.up_to_seq) for one in received] == [
        ("unread", 0, 1)
    ] * 2
    assert await room.decide() == []
    assert await room.why(scene.grace, "app") == [("sent", 0, 1)]
    assert await room.why(scene.ada, "app") == [("read elsewhere", 0, 1)]


async def test_concurrent_decisions_notify_each_member_once(room: Room) -> None:
    await room.say(room.scene.ada)
    received: list[list[NewNotice]] = await asyncio.gather(*(room.decide() for _ in range(6)))
    assert Counter(one.user for some in received for one in some) == {
        room.scene.grace.user: 1,
        room.scene.linus.user: 1,
    }


async def test_an_open_notification_grows_until_its_messages_are_read(room: Room) -> None:
    scene = room.scene
    await room.say(scene.ada)
    [first] = [one for one in await room.decide() if one.user == scene.grace.user]
    await room.say(scene.ada)
    [grown] = [one for one in await room.decide() if one.user == scene.grace.user]
    assert (grown.notification.id, grown.notification.from_seq, grown.notification.up_to_seq) == (
        first.notification.id,
        0,
        2,
    )
    assert [one.is_read for one in await listed(room, scene.grace)] == [False]
    await room.read(scene.grace, 2)
    assert [one.is_read for one in await listed(room, scene.grace)] == [True]
    await room.say(scene.ada)
    [another] = [one for one in await room.decide() if one.user == scene.grace.user]
    assert another.notification.id != first.notification.id
    assert (another.notification.from_seq, another.notification.up_to_seq) == (2, 3)
    assert [one.is_read for one in await listed(room, scene.grace)] == [False, True]


async def test_a_message_read_within_the_delay_is_not_notified(room: Room) -> None:
    await room.say(room.scene.ada)
    await room.read(room.scene.grace, 1)
    assert told_to(await room.decide()) == {room.scene.linus.user}
    assert await room.why(room.scene.grace, "app") == [("read elsewhere", 0, 1)]


async def test_a_message_deleted_within_the_delay_is_not_notified(room: Room) -> None:
    message = await room.say(room.scene.ada)
    async with room.database.transaction() as session:
        await edit.delete(session, room.conversation, message.id, room.scene.ada)
    assert await room.decide() == []
    assert await room.why(room.scene.grace, "app") == [("deleted", 0, 1)]


async def test_repeated_decisions_with_one_reason_share_a_row(room: Room) -> None:
    await room.attend(room.scene.grace, level="none")
    for _ in range(4):
        await room.say(room.scene.ada)
        await room.decide()
    assert await room.why(room.scene.grace, "app") == [("level", 0, 4)]


async def test_a_mute_ends_at_its_time(room: Room) -> None:
    grace = room.scene.grace
    await room.attend(grace, muted_until=datetime.now(UTC) + timedelta(hours=1))
    await room.say(room.scene.ada)
    assert told_to(await room.decide()) == {room.scene.linus.user}
    assert await room.why(grace, "app") == [("muted", 0, 1)]
    await room.attend(grace, muted_until=datetime.now(UTC) - timedelta(seconds=1))
    await room.say(room.scene.ada)
    [received] = [one for one in await room.decide() if one.user == grace.user]
    assert received.notification.up_to_seq == 2


async def test_a_member_at_level_mentions_is_notified_only_when_mentioned(room: Room) -> None:
    scene = room.scene
    await room.attend(scene.grace, level="mentions")
    await room.attend(scene.linus, level="mentions")
    await room.say(scene.ada, "nobody in particular")
    assert await room.decide() == []
    await room.say(scene.ada, "what do you think, @Grace?")
    received = await room.decide()
    assert [(one.user, one.notification.kind) for one in received] == [(scene.grace.user, "mention")]
    assert await room.why(scene.linus, "app") == [("level", 0, 2)]


async def test_a_mention_matches_members_only_and_no_part_of_an_email_address(room: Room) -> None:
    scene = room.scene
    for one in (scene.grace, scene.linus):
        await room.attend(one, level="mentions")
    await room.say(scene.ada, "@Eve mail ada@grace.example.org or someone@Linus")
    assert await room.decide() == []
    async with room.database.transaction() as session:
        await members.add(session, room.conversation, scene.ada.user, scene.eve.user)
    await room.attend(scene.eve, level="mentions")
    await room.say(scene.ada, "later")
    assert await room.decide() == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@Ada", ["ada"]),
        ("hello @Ada Lovelace!", ["ada", "ada lovelace"]),
        ("(@ada) @GRACE.", ["ada", "grace"]),
        ("a@b.org @ @@ada @", []),
        ("@Ädä, @李", ["ädä", "李"]),
        ("@Ada，@Grace。@Linus、好", ["ada", "grace", "linus"]),
        ("«@Ada» “@Grace” ‘@Linus’ @Eve…", ["ada", "grace", "linus", "eve"]),
        ("@Ada， Lovelace @Ada Lovelace。", ["ada", "ada lovelace"]),
        ("@D’Arcy Anne-Marie ¿@O'Neil?", ["d’arcy", "d’arcy anne-marie", "o'neil"]),
        ("@Jose\u0301 Ne\u0301", ["josé", "josé né"]),
        ("@" * 8_000, []),
        (" ".join(f"@n{number}," for number in range(100)), [f"n{number}" for number in range(20)]),
    ],
)
def test_names_in_finds_the_mentions_of_a_text(text: str, names: list[str]) -> None:
    assert names_in(text) == names


async def test_members_who_left_or_joined_later_are_not_notified(room: Room) -> None:
    scene = room.scene
    await room.say(scene.ada)
    async with room.database.transaction() as session:
        await members.leave(session, room.conversation, scene.linus.user)
        await members.add(session, room.conversation, scene.ada.user, scene.eve.user)
    assert told_to(await room.decide()) == {scene.grace.user}
    async with room.database.transaction() as session:
        await members.leave(session, room.conversation, scene.grace.user)
    assert await listed(room, scene.grace) == []
    await room.say(scene.ada)
    assert told_to(await room.decide()) == {scene.eve.user}


async def test_deleting_a_conversation_removes_its_notifications(room: Room) -> None:
    scene = room.scene
    await room.say(scene.ada)
    assert told_to(await room.decide()) == {scene.grace.user, scene.linus.user}
    assert len(await listed(room, scene.grace)) == 1
    async with room.database.transaction() as session:
        await groups.delete(session, room.conversation, scene.ada.user)
    assert await listed(room, scene.grace) == []


async def mails_to(room: Room, by: Caller) -> int:
    async with room.database.transaction() as session:
        rows = await session.scalars(select(Mail.id).where(Mail.user_id == by.user, Mail.kind == "unread"))
        return len(rows.all())


async def test_an_absent_member_receives_one_mail_per_quiet_period(room: Room) -> None:
    scene = room.scene
    await room.attend(scene.linus, level="none")
    await room.say(scene.ada)
    await room.decide()
    assert await room.mail() == 1
    assert await room.why(scene.grace, "mail") == [("due", 0, 1)]
    for _ in range(3):
        await room.say(scene.ada)
        await room.decide()
        assert await room.mail() == 0
    await room.age(3_600)
    assert await room.mail() == 1
    assert await room.mail() == 0
    assert await room.why(scene.grace, "mail") == [("due", 0, 1), ("due", 1, 4)]
    assert await mails_to(room, scene.grace) == 2


@pytest.mark.parametrize("why", ["present", "read elsewhere", "muted", "level", "unsubscribed", "gone", "no address"])
async def test_no_digest_is_mailed_to_members_who_are_present_or_opted_out(room: Room, why: str) -> None:
    scene = room.scene
    grace = scene.grace
    await room.attend(scene.linus, level="none")
    await room.say(scene.ada)
    await room.decide()
    here = [grace] if why == "present" else []
    if why == "read elsewhere":
        await room.read(grace, 1)
    elif why == "muted":
        await room.attend(grace, muted_until=datetime.now(UTC) + timedelta(hours=1))
    elif why == "level":
        await room.attend(grace, level="mentions")
    elif why == "unsubscribed":
        await room.attend(grace, mails=False)
    elif why == "gone":
        async with room.database.transaction() as session:
            await members.leave(session, room.conversation, grace.user)
    elif why == "no address":
        async with room.database.transaction() as session:
            await session.execute(update(User).where(User.id == grace.user).values(closed_at=datetime.now(UTC)))
    assert await room.mail(*here) == 0
    assert await room.why(grace, "mail") == [(why, 0, 1)]
    assert await room.mail(*here) == 0
    assert await mails_to(room, grace) == 0


async def test_digests_wait_while_presence_is_unknown(room: Room) -> None:
    scene = room.scene
    await room.attend(scene.linus, level="none")
    await room.say(scene.ada)
    await room.decide()
    for _ in range(2):
        assert await room.mail(known=False) == 0
        assert await room.mail() == 0
        await room.age(61)
    assert await room.why(scene.grace, "mail") == [("unknown", 0, 1)]
    assert await room.mail() == 1
    assert await room.why(scene.grace, "mail") == [("unknown", 0, 1), ("due", 0, 1)]


async def test_concurrent_digest_runs_mail_each_member_once(room: Room) -> None:
    await room.say(room.scene.ada)
    await room.decide()
    assert sorted(await asyncio.gather(*(room.mail() for _ in range(5)))) == [0, 0, 0, 0, 2]


async def test_digests_of_a_user_are_limited_per_hour(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.domain.notifications.digests.MAX_PER_HOUR", 2)
    scene = room.scene
    await room.attend(scene.linus, level="none")
    for _ in range(3):
        await room.say(scene.ada)
        await room.decide()
        await room.mail()
        await room.age(3_600)
    assert await mails_to(room, scene.grace) == 2
    assert [outcome for outcome, _, _ in await room.why(scene.grace, "mail")] == ["due", "due", "throttled"]
