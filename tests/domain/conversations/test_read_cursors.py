"""Read cursors move only forward, and only a move is published."""

from __future__ import annotations

from uuid import uuid4

from app.domain.conversations import read_cursors
from app.domain.errors import Invalid, NotFound
from app.domain.events import ReadMoved
from app.domain.inbox.queries import summary
from app.domain.messages import mark_read
from tests.support.conversations import Cast, Chat, refusal


async def test_a_read_cursor_moves_only_forward(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast)
    for _ in range(5):
        await chat.send(conversation, cast.ada)
    before = (await chat.do(summary, conversation, cast.linus)).position
    for seq, read, unread in ((3, 3, 2), (2, 3, 2), (3, 3, 2), (5, 5, 0), (0, 5, 0)):
        state = await chat.do(read_cursors.read, conversation, cast.linus, seq)
        assert (state.read_seq, state.unread) == (read, unread)
    for seq in (6, -1):
        assert isinstance(await refusal(chat.do(read_cursors.read, conversation, cast.linus, seq)), Invalid)
    assert [one.seq for one in chat.received if isinstance(one, ReadMoved)] == [3, 5]
    assert (await chat.do(summary, conversation, cast.linus)).position == before


async def test_read_marks_are_published_only_in_small_conversations(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast)
    await chat.send(conversation, cast.ada)
    await chat.send(conversation, cast.ada)
    await chat.do(read_cursors.read, conversation, cast.linus, 1)
    await chat.sql("UPDATE conversations SET member_count = 201 WHERE id = :id", id=conversation)
    await chat.do(read_cursors.read, conversation, cast.linus, 2)
    assert [one.small for one in chat.received if isinstance(one, ReadMoved)] == [True, False]


async def test_marking_a_message_marks_all_before_it(chat: Chat, cast: Cast) -> None:
    conversation = await chat.group(cast)
    sent = [await chat.send(conversation, cast.ada) for _ in range(5)]
    assert (await chat.do(mark_read.mark_read, conversation, cast.linus, [sent[3].id, sent[1].id])).read_seq == 4
    assert (await chat.do(mark_read.mark_read, conversation, cast.linus, [sent[0].id])).read_seq == 4


async def test_a_message_of_another_conversation_cannot_be_marked_here(chat: Chat, cast: Cast) -> None:
    conversation, other = await chat.group(cast), await chat.group(cast)
    here, there = await chat.send(conversation, cast.ada), await chat.send(other, cast.ada)
    for wrong in (there.id, uuid4()):
        refused = await refusal(chat.do(mark_read.mark_read, conversation, cast.linus, [here.id, wrong]))
        assert isinstance(refused, NotFound)
    assert (await chat.do(summary, conversation, cast.linus)).read_seq == 0
