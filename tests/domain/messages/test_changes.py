"""A state at any position, plus the changes since (in pages of 3) or the published events, equals a fresh read."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import msgspec
import pytest

from app.domain import events
from app.domain.conversations import admin_role, directs, groups, members, queries, read_cursors
from app.domain.conversations.conversation_projection import facts_of
from app.domain.conversations.schemas import ConversationFacts, Member
from app.domain.errors import ChatError, Conflict, Forbidden, Invalid, NotFound
from app.domain.inbox.detail import detail
from app.domain.messages import changes
from app.domain.messages.schemas import Message
from app.domain.users.schemas import Person
from app.realtime.frames.frame_encoder import change_frame, encode_json
from tests.support.conversations import Cast, Chat


class Client:
    """The copy of a conversation held by a client that upserts every change it receives."""

    def __init__(self, conversation: UUID) -> None:
        self.conversation = conversation
        self.position = 0
        self.messages: dict[int, Message] = {}
        self.members: dict[UUID, Member] = {}
        self.facts: ConversationFacts | None = None

    def take(self, item: events.LogChange) -> None:
        assert item.prev == self.position, "a gap"
        assert item.position > item.prev
        self.position = item.position
        if item.type.startswith("message."):
            message = msgspec.json.decode(item.data, type=Message)
            self.messages[message.seq] = message
        elif item.type.startswith("member."):
            member = msgspec.json.decode(item.data, type=Member)
            assert (member.left_at is not None) == (item.type in events.ENDINGS)
            self.members[member.user.id] = member
            self._rename(member.user)
        else:
            self.facts = msgspec.json.decode(item.data, type=ConversationFacts)

    def _rename(self, person: Person) -> None:
        """Applies the person's current name to everything held."""
        for seq, message in self.messages.items():
            if message.sent_by.id == person.id:
                self.messages[seq] = msgspec.structs.replace(message, sent_by=person)
        for user, member in self.members.items():
            if member.by is not None and member.by.id == person.id:
                self.members[user] = msgspec.structs.replace(member, by=person)

    def state(self) -> tuple[object, ...]:
        present = {user: unread(member) for user, member in self.members.items() if member.left_at is None}
        return self.position, self.messages, present, self._facts_with_activity()

    def _facts_with_activity(self) -> ConversationFacts:
        """A message is activity too: `updated_at` is the newest of its `sent_at` and the conversation's own change."""
        assert self.facts is not None
        latest = max([self.facts.updated_at, *(message.sent_at for message in self.messages.values())])
        return msgspec.structs.replace(self.facts, updated_at=latest)

    def copy(self) -> Client:
        other = Client(self.conversation)
        other.position, other.facts = self.position, self.facts
        other.messages, other.members = dict(self.messages), dict(self.members)
        return other

    async def catch_up(self, chat: Chat, limit: int = 3) -> list[events.LogChange]:
        """Page by page, until complete; what came."""
        taken: list[events.LogChange] = []
        while True:
            found = await chat.do(changes.changes_after, self.conversation, self.position, limit)
            assert len(found.items) <= limit
            for item in found.items:
                self.take(item)
            taken += found.items
            assert self.position == found.position
            if found.complete:
                return taken


def unread(member: Member) -> Member:
    """Others' read marks are not part of the log."""
    return msgspec.structs.replace(member, read_seq=0)


async def fresh(chat: Chat, conversation: UUID) -> tuple[object, ...]:
    """The conversation as other statements read it."""
    ((position,),) = await chat.sql("SELECT position FROM conversations WHERE id = :id", id=conversation)
    page = await chat.do(queries.members_page, conversation, limit=100)
    ids = await chat.sql("SELECT id FROM messages WHERE conversation_id = :id ORDER BY seq", id=conversation)
    messages = {}
    for (message,) in ids:
        assert isinstance(message, UUID)
        view = await chat.view(conversation, message)
        messages[view.seq] = view
    return (
        position,
        messages,
        {member.user.id: unread(member) for member in page.items},
        await chat.do(facts_of, conversation),
    )


async def busy(chat: Chat, conversation: UUID, people: list[UUID], dice: random.Random, steps: int) -> None:
    """Random things happen; what is refused is refused."""
    sent: list[Message] = []
    for _ in range(steps):
        who, other = dice.choice(people), dice.choice(people)
        deeds: list[Callable[[], Awaitable[object]]] = [
            lambda who=who: chat.do(members.join, conversation, who),  # type: ignore[misc]
            lambda who=who: chat.do(members.leave, conversation, who),  # type: ignore[misc]
            lambda who=who, other=other: chat.do(members.add, conversation, who, other),  # type: ignore[misc]
            lambda who=who, other=other: chat.do(members.remove, conversation, who, other),  # type: ignore[misc]
            lambda who=who, other=other: chat.do(admin_role.make_admin, conversation, who, other),  # type: ignore[misc]
            lambda who=who, other=other: chat.do(admin_role.remove_admin, conversation, who, other),  # type: ignore[misc]
            lambda who=who: chat.do(groups.change, conversation, who, name=f"Name {dice.random()}"),  # type: ignore[misc]
            lambda who=who: chat.do(read_cursors.read, conversation, who, 1),  # type: ignore[misc]
            lambda who=who: chat.rename(who, f"Name {dice.random()}", conversation),  # type: ignore[misc]
        ]
        if sent:
            message = dice.choice(sent)
            deeds += [lambda message=message: chat.edit(message, message.sent_by.id, f"{dice.random()}")] * 4  # type: ignore[misc]
            deeds += [lambda message=message: chat.erase(message, message.sent_by.id)]  # type: ignore[misc]
        try:
            if dice.random() < 0.35:
                sent.append(await chat.send(conversation, who))
            else:
                await dice.choice(deeds)()
        except (ChatError, AssertionError):
            continue


@pytest.mark.parametrize("seed", range(6))
async def test_any_state_plus_the_changes_since_equals_a_fresh_read(chat: Chat, cast: Cast, seed: int) -> None:
    dice = random.Random(seed)
    conversation = await chat.group(cast, is_private=False)
    people = [cast.ada, cast.grace, cast.linus, cast.mallory, cast.eve]
    live = Client(conversation)
    held = [live.copy()]
    taken = 0
    for _ in range(8):
        await busy(chat, conversation, people, dice, 8)
        received = chat.changes(conversation)
        for item in received[taken:]:
            live.take(item)
        taken = len(received)
        held.append(live.copy())
    wanted = await fresh(chat, conversation)
    assert live.state() == wanted
    for client in held:
        await client.catch_up(chat)
        assert client.state() == wanted


async def test_paging_changes_during_writes_skips_nothing(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast, is_private=False)
    people = [cast.ada, cast.grace, cast.linus, cast.mallory, cast.eve]
    writers = [asyncio.create_task(busy(chat, conversation, people, random.Random(seed), 30)) for seed in range(3)]
    client = Client(conversation)
    while not all(writer.done() for writer in writers):
        await client.catch_up(chat)
    await asyncio.gather(*writers)
    await client.catch_up(chat)
    assert client.state() == await fresh(chat, conversation)


async def test_several_changes_of_one_row_come_once_in_its_current_state(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast, is_private=False)
    edited, deleted = [await chat.send(conversation, cast.linus) for _ in range(2)]
    client = Client(conversation)
    await client.catch_up(chat)
    before = client.position
    for number in range(10):
        await chat.edit(edited, cast.linus, f"edit {number}")
    await chat.erase(deleted, cast.linus)
    await chat.do(members.leave, conversation, cast.linus)
    await chat.do(members.join, conversation, cast.linus)
    await chat.rename(cast.ada, "Augusta", conversation)
    await chat.do(admin_role.remove_admin, conversation, cast.ada, cast.grace)
    fleeting = await chat.send(conversation, cast.ada)
    await chat.erase(fleeting, cast.ada)
    taken = await client.catch_up(chat)
    assert [(item.type, item.subject, item.seq) for item in taken] == [
        ("message.updated", None, 1),
        ("message.deleted", None, 2),
        ("member.joined", cast.linus, 0),
        ("member.updated", cast.ada, 0),
        ("member.updated", cast.grace, 0),
        ("message.created", None, 3),
    ]
    assert client.state() == await fresh(chat, conversation)
    assert client.position == before + 10 + 1 + 2 + 1 + 1 + 2
    assert client.messages[1].text == "edit 9"
    assert client.messages[3].text == ""
    assert client.messages[3].deleted_at is not None


async def test_a_page_of_changes_says_where_to_continue_and_whether_it_is_complete(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast)
    for _ in range(4):
        await chat.send(conversation, cast.ada)
    position = (await chat.do(detail, conversation, cast.ada)).position
    page = await chat.do(changes.changes_for, conversation, cast.linus, after=position - 4, limit=3)
    assert (page.complete, page.position) == (False, position - 1)
    assert [item.position for item in page.items] == [position - 3, position - 2, position - 1]
    page = await chat.do(changes.changes_for, conversation, cast.linus, after=position - 3, limit=3)
    assert (page.complete, page.position, len(page.items)) == (True, position, 3)
    page = await chat.do(changes.changes_for, conversation, cast.linus, after=position, limit=3)
    assert (page.complete, page.position, page.items) == (True, position, [])


async def test_a_change_has_the_bytes_of_its_event(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast)
    await chat.send(conversation, cast.ada)
    received = chat.changes(conversation)[-1]
    found = await chat.do(changes.changes_after, conversation, received.prev, 10)
    assert [encode_json(change_frame(item)) for item in found.items] == [encode_json(change_frame(received))]
    assert msgspec.json.encode(found.page()) == (
        b'{"items":[{"type":"message.created","position":%d,"data":%b}],"position":%d,"complete":true}'
        % (received.position, received.data, received.position)
    )


async def test_a_position_from_the_future_requires_a_reload(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast)
    position = (await chat.do(detail, conversation, cast.ada)).position
    with pytest.raises(Conflict) as reset:
        await chat.do(changes.changes_for, conversation, cast.ada, after=position + 1)
    assert reset.value.code == "reset"
    with pytest.raises(Invalid):
        await chat.do(changes.changes_for, conversation, cast.ada, after=-1)


async def test_an_outsider_reads_no_change(chat: Chat, cast: Cast) -> None:
    public, private = await chat.group(cast, is_private=False), await chat.group(cast)
    for outsider in (cast.eve, cast.mallory):
        with pytest.raises(Forbidden):
            await chat.do(changes.changes_for, public, outsider, after=10**9)
        with pytest.raises(NotFound):
            await chat.do(changes.changes_for, private, outsider, after=10**9)


async def test_a_process_reads_changes_of_many_conversations_deleted_and_future_ones_included(
    chat: Chat, cast: Cast
) -> None:
    closed, quiet, ahead = [await chat.group(cast) for _ in range(3)]
    at = {where: chat.changes(where)[-1].position for where in (closed, quiet, ahead)}
    await chat.do(groups.delete, closed, cast.ada)
    found = await chat.do(
        changes.changes_of_many, {closed: at[closed], quiet: at[quiet], ahead: at[ahead] + 5, uuid4(): 0}, 50
    )
    assert set(found) == {closed, quiet, ahead}
    gone, nothing = found[closed], found[quiet]
    assert isinstance(gone, changes.Changes)
    assert [item.type for item in gone.items] == ["conversation.deleted"]
    assert isinstance(nothing, changes.Changes)
    assert (nothing.items, nothing.complete) == ([], True)
    assert isinstance(found[ahead], Conflict)


async def test_a_direct_conversation_has_its_log_too(chat: Chat, cast: Cast) -> None:
    conversation, _ = await chat.do(directs.get_or_create, cast.ada, cast.linus)
    found = await chat.do(changes.changes_after, conversation, 0, 50)
    assert [item.type for item in found.items] == ["conversation.updated", "member.joined", "member.added"]
