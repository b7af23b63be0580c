"""A trace says where a message stands, who has read it and who was notified, and nothing that is not recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import delete, select, update

from app.domain.audit.models import AuditEntry
from app.domain.conversations import groups, members
from app.domain.conversations.models import Conversation, Membership
from app.domain.errors import Invalid, NotFound
from app.domain.messages import edit
from app.domain.notifications.models import NotificationDecisionRow, Subscription
from app.domain.operators import trace as tracing
from app.domain.operators.trace import Place, trace
from app.domain.orm import uuid7
from app.domain.users.caller import Caller
from tests.domain.notifications.conftest import Room
from tests.support.scene import person

SECRET = "the words of a message"


async def traced(
    room: Room, message: UUID, *, conversation: UUID | None = None, limit: int = 50, cursor: str | None = None
) -> Place:
    async with room.database.transaction() as session:
        return await trace(session, None, message, conversation=conversation, limit=limit, cursor=cursor)


def reading(place: Place, by: Caller) -> tuple[bool, bool, list[tuple[str, str]]]:
    """(read, decided, decisions) of one member."""
    (one,) = [item for item in place.members.items if item.user.id == by.user]
    return one.read, one.decided, [(each.channel, each.outcome) for each in one.decisions]


async def test_the_id_alone_finds_the_place_in_the_log(room: Room) -> None:
    await room.say(room.scene.linus)
    message = await room.say(room.scene.ada, SECRET)
    place = await traced(room, message.id)
    assert (place.conversation, place.seq, place.kind, place.message_type) == (room.conversation, 2, "group", "text")
    assert place.created_position == place.position == message.position
    assert place.sent_by.id == room.scene.ada.user
    assert (place.deleted_at, place.published) == (None, "not_recorded")
    assert SECRET.encode() not in msgspec.json.encode(place)
    assert await traced(room, message.id, conversation=room.conversation) == place


async def test_an_edit_moves_the_position_and_a_deletion_is_shown(room: Room) -> None:
    message = await room.say(room.scene.ada, SECRET)
    async with room.database.transaction() as session:
        await edit.edit(session, room.conversation, message.id, room.scene.ada, text="other words")
    changed = await traced(room, message.id)
    assert changed.created_position == message.position
    assert changed.position == changed.edited_position == message.position + 1
    async with room.database.transaction() as session:
        await edit.delete(session, room.conversation, message.id, room.scene.ada)
    deleted = await traced(room, message.id)
    assert deleted.deleted_at is not None
    assert deleted.position == message.position + 2


async def test_each_recipient_has_a_read_mark_and_a_decision(room: Room) -> None:
    scene = room.scene
    await room.attend(scene.linus, level="none")
    message = await room.say(scene.ada)
    before = await traced(room, message.id)
    assert [one.user.id for one in before.members.items] == sorted([scene.grace.user, scene.linus.user])
    assert reading(before, scene.grace) == (False, False, [])
    assert (before.recipients, before.readers, before.undecided) == (2, 0, 2)
    await room.decide()
    await room.read(scene.grace, message.seq)
    after = await traced(room, message.id)
    assert reading(after, scene.grace) == (True, True, [("app", "sent")])
    assert reading(after, scene.linus) == (False, True, [("app", "level")])
    assert (after.recipients, after.readers, after.undecided) == (2, 1, 0)


async def test_a_decision_about_another_message_is_not_shown(room: Room) -> None:
    await room.say(room.scene.ada)
    await room.decide()
    message = await room.say(room.scene.ada)
    assert reading(await traced(room, message.id), room.scene.grace) == (False, False, [])


async def test_decided_without_a_record_is_told_from_not_decided(room: Room) -> None:
    """Decisions are deleted after a week; the subscription still says that there was one."""
    message = await room.say(room.scene.ada)
    await room.decide()
    async with room.database.transaction() as session:
        await session.execute(delete(NotificationDecisionRow))
    assert reading(await traced(room, message.id), room.scene.grace) == (False, True, [])


async def test_those_who_joined_later_are_no_recipients_and_former_members_are_marked(room: Room) -> None:
    scene = room.scene
    message = await room.say(scene.ada)
    async with room.database.transaction() as session:
        await members.add(session, room.conversation, scene.ada.user, scene.eve.user)
        await members.leave(session, room.conversation, scene.linus.user)
    place = await traced(room, message.id)
    assert {one.user.id: one.left_at is None for one in place.members.items} == {
        scene.grace.user: True,
        scene.linus.user: False,
    }
    assert place.recipients == 1


async def test_a_large_conversation_is_shown_in_pages(room: Room) -> None:
    for number in range(5):
        joining = await person(room.database, f"Member {number}")
        async with room.database.transaction() as session:
            await members.add(session, room.conversation, room.scene.ada.user, joining.user)
    message = await room.say(room.scene.ada)
    seen: list[UUID] = []
    cursor = None
    for expected in (3, 3, 1):
        page = (await traced(room, message.id, limit=3, cursor=cursor)).members
        assert len(page.items) == expected
        seen += [one.user.id for one in page.items]
        cursor = page.next
    assert cursor is None
    assert seen == sorted(seen)
    assert len(set(seen)) == 7
    with pytest.raises(Invalid, match="invalid_cursor"):
        await traced(room, message.id, cursor="bm90IG91cnM")


@pytest.mark.parametrize("unknown", [uuid7(), uuid4()], ids=["a later id", "no id of the chat"])
async def test_an_unknown_message_is_not_found_and_leaves_no_entry(room: Room, unknown: UUID) -> None:
    with pytest.raises(NotFound):
        await traced(room, unknown)
    assert await entries(room, unknown) == []


async def test_a_message_of_another_conversation_is_not_found_in_this_one(room: Room) -> None:
    message = await room.say(room.scene.ada)
    async with room.database.transaction() as session:
        other = await groups.create(session, room.scene.ada.user, "Other", is_private=True)
    with pytest.raises(NotFound):
        await traced(room, message.id, conversation=other)


async def test_conversations_that_rested_since_are_not_searched(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is on those that were active since the message: each is one look-up."""
    message = await room.say(room.scene.ada)
    monkeypatch.setattr(tracing, "BATCH_SIZE", 1)
    monkeypatch.setattr(tracing, "MAX_SEARCHED", 3)
    creator = room.scene.ada.user
    async with room.database.transaction() as session:
        for number in range(4):
            group = await groups.create(session, creator, f"Rested {number}", is_private=True)
            await session.execute(
                update(Conversation)
                .where(Conversation.id == group)
                .values(active_bucket=number, last_seq=1, position=9)
            )
        # Other tests' conversations lie before this one, and are out of the way.
        await session.execute(
            update(Conversation)
            .where(Conversation.id != room.conversation)
            .where(Conversation.active_bucket > 1_000)
            .values(active_bucket=1_000)
        )
    assert (await traced(room, message.id)).seq == 1


async def test_too_many_active_conversations_need_the_conversation(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    message = await room.say(room.scene.ada)
    monkeypatch.setattr(tracing, "BATCH_SIZE", 1)
    monkeypatch.setattr(tracing, "MAX_SEARCHED", 2)
    async with room.database.transaction() as session:
        for number in range(2):
            group = await groups.create(session, room.scene.ada.user, f"Busy {number}", is_private=True)
            await session.execute(
                update(Conversation)
                .where(Conversation.id == group)
                .values(active_bucket=Conversation.active_bucket - 1, last_seq=1, position=9)
            )
    with pytest.raises(Invalid, match="trace_needs_conversation"):
        await traced(room, message.id)
    assert (await traced(room, message.id, conversation=room.conversation)).seq == 1


async def test_a_trace_is_an_entry_of_the_audit_log(room: Room) -> None:
    message = await room.say(room.scene.ada)
    async with room.database.transaction() as session:
        await trace(session, room.scene.grace.user, message.id, conversation=None, limit=50, cursor=None)
    ((by, details),) = await entries(room, message.id)
    assert by == room.scene.grace.user
    assert details == {"conversation": str(room.conversation)}


async def test_the_time_is_the_one_that_postgres_wrote(room: Room) -> None:
    message = await room.say(room.scene.ada, ago=0)
    place = await traced(room, message.id)
    assert place.sent_at == message.sent_at
    assert abs((datetime.now(UTC) - place.sent_at).total_seconds()) < 60


async def entries(room: Room, message: UUID) -> list[tuple[UUID | None, object]]:
    async with room.database.transaction() as session:
        rows = await session.execute(
            select(AuditEntry.by, AuditEntry.details).where(
                AuditEntry.action == "message.traced", AuditEntry.subject == message
            )
        )
        return [(row.by, row.details) for row in rows]


async def test_a_member_without_a_subscription_is_undecided(room: Room) -> None:
    message = await room.say(room.scene.ada)
    async with room.database.transaction() as session:
        of_room = select(Subscription.user_id).where(Subscription.conversation_id == room.conversation)
        assert (await session.scalars(of_room)).all() == []
        joined = select(Membership.joined_seq).where(
            Membership.conversation_id == room.conversation, Membership.user_id == room.scene.grace.user
        )
        assert (await session.scalar(joined)) == 0
    assert (await traced(room, message.id)).undecided == 2
