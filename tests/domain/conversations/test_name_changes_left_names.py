"""A conversation shows a former member under the name on leaving, on every path, until the account is closed."""

from __future__ import annotations

from uuid import UUID

import msgspec

from app.domain.conversations import admin_role, groups, members, name_changes, queries
from app.domain.conversations.schemas import Member
from app.domain.messages import changes
from app.domain.messages.history import SeqRange, newest, read_span
from app.domain.messages.receipts import detail
from app.domain.messages.schemas import Message
from tests.support.conversations import Cast, Chat, as_view
from tests.support.statements import recorded_statements

OLD, NEW = "Mallory Example", "Renamed Example"
CLOSED = "deleted user"


async def rename(chat: Chat, user: UUID, first_name: str) -> None:
    """As `profile.change` does it: the name changes at once, its propagation is pending."""
    await chat.sql(
        "UPDATE users SET first_name = :name, version = told_version + 1, told_through = NULL WHERE id = :user",
        name=first_name,
        user=user,
    )


async def close(chat: Chat, user: UUID) -> None:
    await chat.sql(
        "UPDATE users SET first_name = 'deleted', last_name = 'user', closed_at = now(), version = told_version + 1,"
        " told_through = NULL WHERE id = :user",
        user=user,
    )


async def propagate(chat: Chat, user: UUID) -> None:
    while await chat.do(name_changes.propagate_next, user):
        pass


async def with_former_member(chat: Chat, cast: Cast) -> UUID:
    """A private group in which mallory wrote a message and made linus an admin, before she was removed."""
    conversation = await chat.do(groups.create, cast.ada, "Mathematicians", is_private=True)
    for user in (cast.mallory, cast.linus):
        await chat.do(members.add, conversation, cast.ada, user)
    await chat.do(admin_role.make_admin, conversation, cast.ada, cast.mallory)
    await chat.do(admin_role.make_admin, conversation, cast.mallory, cast.linus)
    await chat.send(conversation, cast.mallory)
    await chat.do(members.remove, conversation, cast.ada, cast.mallory)
    return conversation


async def edited_position(chat: Chat, conversation: UUID) -> object:
    ((edited,),) = await chat.sql("SELECT edited_position FROM conversations WHERE id = :id", id=conversation)
    return edited


async def names(chat: Chat, conversation: UUID, reader: UUID, user: UUID) -> set[str]:
    """The names of `user` in `conversation`, on every path of a read by `reader`."""
    entries = await chat.do(read_span, conversation, SeqRange(1, 100, has_more=False))
    edited, rebuilt = await chat.do(newest, conversation, 100)
    assert edited == await edited_position(chat, conversation)
    messages = [msgspec.json.decode(data, type=Message) for _, _, data in (*entries, *rebuilt)]
    messages += [await chat.do(detail, conversation, messages[0].id, chat.caller(reader))]
    people = [message.sent_by for message in messages]
    caught_up = (await chat.do(changes.changes_after, conversation, 0, 100)).views
    people += [view.sent_by for view in caught_up if isinstance(view, Message)]
    listed = (await chat.do(queries.members_page, conversation)).items
    for member in (*listed, *(view for view in caught_up if isinstance(view, Member))):
        people += [member.user] + ([member.by] if member.by is not None else [])
    (line,) = [one for one in await chat.snapshot(reader) if one.id == conversation]
    assert line.last_message is not None
    people.append(line.last_message.sent_by)
    return {f"{person.first_name} {person.last_name}" for person in people if person.id == user}


async def test_a_removed_member_who_is_renamed_writes_nothing_into_the_conversation(chat: Chat, cast: Cast) -> None:
    conversation = await with_former_member(chat, cast)
    before, edited = len(chat.changes(conversation)), await edited_position(chat, conversation)
    await rename(chat, cast.mallory, "Renamed")
    await propagate(chat, cast.mallory)
    assert not await chat.do(name_changes.propagate_name, conversation, cast.mallory)
    assert chat.changes(conversation)[before:] == []
    assert await edited_position(chat, conversation) == edited
    assert await names(chat, conversation, cast.ada, cast.mallory) == {OLD}


async def test_a_message_deleted_afterwards_still_has_the_name_on_leaving(chat: Chat, cast: Cast) -> None:
    conversation = await with_former_member(chat, cast)
    await rename(chat, cast.mallory, "Renamed")
    await propagate(chat, cast.mallory)
    ((message,),) = await chat.sql("SELECT id FROM messages WHERE conversation_id = :id", id=conversation)
    assert isinstance(message, UUID)
    await chat.erase(await chat.view(conversation, message), cast.ada)
    deleted = msgspec.json.decode(chat.changes(conversation)[-1].data, type=Message)
    assert (deleted.sent_by.first_name, deleted.text) == ("Mallory", "")


async def test_joining_again_shows_the_present_name(chat: Chat, cast: Cast) -> None:
    conversation = await with_former_member(chat, cast)
    await rename(chat, cast.mallory, "Renamed")
    await propagate(chat, cast.mallory)
    await chat.do(members.add, conversation, cast.ada, cast.mallory)
    last = chat.changes(conversation)[-1]
    view = as_view(last)
    assert isinstance(view, Member)
    assert (last.type, view.user.first_name, last.edited) == ("member.added", "Renamed", last.position)
    assert last.edited_before < last.edited
    assert await names(chat, conversation, cast.ada, cast.mallory) == {NEW}
    await rename(chat, cast.mallory, "Again")
    await propagate(chat, cast.mallory)
    assert await names(chat, conversation, cast.ada, cast.mallory) == {"Again Example"}


async def test_joining_again_under_the_same_name_leaves_cached_messages_proven(chat: Chat, cast: Cast) -> None:
    conversation = await with_former_member(chat, cast)
    edited = await edited_position(chat, conversation)
    await chat.do(members.add, conversation, cast.ada, cast.mallory)
    assert await edited_position(chat, conversation) == edited


async def test_a_name_whose_propagation_was_pending_on_leaving_is_the_one_shown(chat: Chat, cast: Cast) -> None:
    """The conversation was never notified of it, so its cached messages must become stale with the removal."""
    conversation = await with_former_member(chat, cast)
    await chat.do(members.add, conversation, cast.ada, cast.mallory)
    await rename(chat, cast.mallory, "Renamed")
    await chat.do(members.remove, conversation, cast.ada, cast.mallory)
    last = chat.changes(conversation)[-1]
    view = as_view(last)
    assert isinstance(view, Member)
    assert (last.type, view.user.first_name, last.edited) == ("member.removed", "Renamed", last.position)
    await rename(chat, cast.mallory, "Again")
    await propagate(chat, cast.mallory)
    assert await names(chat, conversation, cast.ada, cast.mallory) == {NEW}


async def test_a_closed_account_has_no_former_name_anywhere(chat: Chat, cast: Cast) -> None:
    conversation, deleted = await with_former_member(chat, cast), await with_former_member(chat, cast)
    current = await chat.group(cast)
    await chat.do(members.add, current, cast.ada, cast.mallory)
    await chat.do(groups.delete, deleted, cast.ada)
    await close(chat, cast.mallory)
    await propagate(chat, cast.mallory)
    assert await names(chat, conversation, cast.ada, cast.mallory) == {CLOSED}
    last = chat.changes(conversation)[-1]
    assert (last.type, last.edited) == ("member.removed", last.position)
    kept = await chat.sql(
        "SELECT left_first_name, left_last_name FROM memberships WHERE user_id = :user", user=cast.mallory
    )
    assert kept == [(None, None)] * 3


async def test_a_membership_that_release_1_0_0_began_again_shows_the_present_name(chat: Chat, cast: Cast) -> None:
    """It runs beside this version during a deployment, and does not clear the name."""
    conversation = await with_former_member(chat, cast)
    await rename(chat, cast.mallory, "Renamed")
    await chat.sql("UPDATE memberships SET left_at = NULL, ended = NULL WHERE user_id = :user", user=cast.mallory)
    assert await names(chat, conversation, cast.ada, cast.mallory) == {NEW}


async def test_a_page_with_former_members_costs_one_statement(chat: Chat, cast: Cast) -> None:
    conversation = await with_former_member(chat, cast)
    for _ in range(49):
        await chat.send(conversation, cast.ada)
    async with chat.database.transaction() as session:
        with recorded_statements(chat.database) as statements:
            entries = await read_span(session, conversation, SeqRange(1, 50, has_more=False))
    assert (len(entries), len(statements)) == (50, 1)
