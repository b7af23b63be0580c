"""What a digest quotes: conversations its reader takes part in, and people its reader has answered. Nothing else.

Anybody may add anybody to a group: its name and its messages are then a stranger's words, mailed by our server.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from app.domain.accounts.account_mail import MailContent
from app.domain.conversations import members
from app.domain.conversations.directs import get_or_create
from app.domain.conversations.models import Conversation, Membership
from app.domain.mails import outbox
from app.domain.mails.models import Mail
from app.domain.messages.send import send_batch
from app.domain.notifications import digest_content, known_senders
from app.domain.notifications.unsubscribe import UnsubscribeTokens
from app.domain.users.caller import Caller
from app.domain.users.models import User
from app.tasks.letters.renderer import MailRenderer
from tests.domain.notifications.conftest import Room
from tests.support.drafts import draft

BAIT = "URGENT: verify at https://evil.example/login"


async def name_it(room: Room, name: str, *added: Caller) -> None:
    """Names the group and records which members were added by others; the rest joined by themselves."""
    async with room.database.transaction() as session:
        await session.execute(update(Conversation).where(Conversation.id == room.conversation).values(name=name))
        await session.execute(
            update(Membership)
            .where(Membership.conversation_id == room.conversation, Membership.user_id.in_([one.user for one in added]))
            .values(was_added=True)
        )


async def write_directly(room: Room, by: Caller, to: Caller) -> None:
    async with room.database.transaction() as session:
        direct, _ = await get_or_create(session, by.user, to.user)
        await send_batch(session, [draft(direct, by, "text", "hello")])


async def digest(room: Room, reader: Caller) -> MailContent:
    """What is mailed to `reader`, once everything is decided."""
    await room.decide()
    assert await room.mail() > 0
    async with room.database.transaction() as session:
        newest = select(Mail.id).where(Mail.user_id == reader.user, Mail.kind == "unread").order_by(Mail.id.desc())
        claimed = await outbox.claim(session, (await session.scalars(newest.limit(1))).one())
        assert claimed is not None
        letter = await digest_content.compose(session, claimed, UnsubscribeTokens("s" * 40))
    assert isinstance(letter, MailContent)
    return letter


def quoted(letter: MailContent) -> tuple[str, list[str]]:
    facts: dict[str, Any] = dict(letter.facts)
    return facts["name"], [line["text"] for line in facts["lines"]]


def on_the_wire(letter: MailContent) -> str:
    return MailRenderer("https://chat.example.org", "chat@example.org").write(letter, uuid4()).content.decode()


async def test_a_digest_quotes_no_stranger_who_added_its_reader(room: Room) -> None:
    await name_it(room, BAIT, room.scene.grace)
    await room.say(room.scene.ada, f"pay now {BAIT}")
    letter = await digest(room, room.scene.grace)
    assert quoted(letter) == ("", [])
    mail = on_the_wire(letter)
    assert "Subject: Unread messages (Chat)\r\n" in mail
    for word in ("URGENT", "evil.example", "pay now", "Ada"):
        assert word not in mail
    assert "you have unread messages" in mail


async def test_a_digest_quotes_a_conversation_that_its_reader_joined(room: Room) -> None:
    await name_it(room, "Engines", room.scene.linus)
    await room.say(room.scene.ada, "one")
    assert quoted(await digest(room, room.scene.grace)) == ("Engines", ["one"])


async def test_a_digest_quotes_a_conversation_in_which_its_reader_has_written(room: Room) -> None:
    await name_it(room, "Engines", room.scene.grace)
    await room.say(room.scene.grace, "who are you?")
    await room.say(room.scene.ada, "one")
    letter = await digest(room, room.scene.grace)
    assert quoted(letter) == ("Engines", ["one"])
    assert "Subject: Unread in Engines (Chat)\r\n" in on_the_wire(letter)


async def test_messages_the_reader_wrote_before_being_added_again_do_not_count(room: Room) -> None:
    await room.say(room.scene.grace, "goodbye")
    await name_it(room, BAIT, room.scene.grace)
    async with room.database.transaction() as session:
        await session.execute(
            update(Membership)
            .where(Membership.conversation_id == room.conversation, Membership.user_id == room.scene.grace.user)
            .values(joined_seq=1, read_seq=1)
        )
    await room.say(room.scene.ada, "one")
    assert quoted(await digest(room, room.scene.grace)) == ("", [])


@pytest.mark.parametrize("answers", [True, False])
async def test_a_digest_quotes_a_sender_known_from_a_direct_conversation_but_not_the_groups_name(
    room: Room, answers: bool
) -> None:
    """The name may be another's. To be written to is no answer."""
    await name_it(room, BAIT, room.scene.grace)
    await write_directly(room, room.scene.ada, room.scene.grace)
    if answers:
        await write_directly(room, room.scene.grace, room.scene.ada)
    await room.say(room.scene.ada, "one")
    assert quoted(await digest(room, room.scene.grace)) == ("", ["one"] if answers else [])


async def test_a_digest_with_one_stranger_among_its_senders_quotes_no_message(room: Room) -> None:
    await name_it(room, BAIT, room.scene.grace)
    await write_directly(room, room.scene.grace, room.scene.ada)
    await room.say(room.scene.ada, "one")
    await room.say(room.scene.linus, BAIT)
    assert quoted(await digest(room, room.scene.grace)) == ("", [])


@pytest.mark.parametrize("answers", [True, False])
async def test_a_direct_conversation_is_quoted_once_it_is_answered(room: Room, answers: bool) -> None:
    ada, grace = room.scene.ada, room.scene.grace
    async with room.database.transaction() as session:
        direct, _ = await get_or_create(session, ada.user, grace.user)
    own = Room(room.database, room.scene)
    own.conversation = direct
    if answers:
        await own.say(grace, "yes?")
    await own.say(ada, BAIT)
    assert quoted(await digest(own, grace)) == ("", [BAIT] if answers else [])


async def test_no_more_than_the_newest_messages_are_searched_for_an_answer(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_senders, "MOST_READ", 3)
    await room.say(room.scene.grace, "an answer")
    found = []
    for _ in range(4):
        async with room.database.transaction() as session:
            found.append(await known_senders.takes_part(session, room.scene.grace.user, room.conversation, 0))
        await room.say(room.scene.ada, "one")
    assert found == [True, True, True, False]


async def test_no_sender_is_known_from_an_empty_list(room: Room) -> None:
    async with room.database.transaction() as session:
        assert await known_senders.answered(session, room.scene.grace.user, set[UUID]()) == set()


async def test_a_digest_names_a_former_member_as_on_leaving(room: Room) -> None:
    await room.say(room.scene.linus, "hello")
    async with room.database.transaction() as session:
        await members.remove(session, room.conversation, room.scene.ada.user, room.scene.linus.user)
    async with room.database.transaction() as session:
        await session.execute(update(User).where(User.id == room.scene.linus.user).values(first_name="Renamed"))
    letter = await digest(room, room.scene.grace)
    facts: dict[str, Any] = dict(letter.facts)
    assert [line["text"] for line in facts["lines"]] == ["hello"]
    assert "Renamed" not in facts["lines"][0]["who"]
