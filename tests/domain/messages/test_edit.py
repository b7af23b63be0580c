"""A deleted message keeps its place in the log, and nothing of what its sender wrote."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from app.db import Database
from app.domain.messages import edit
from app.domain.messages.content import EMPTY, MessageBody
from app.domain.messages.models import MessageRow
from app.domain.messages.schemas import Message
from app.domain.messages.send import Draft, Sent, send_batch
from tests.support.drafts import draft
from tests.support.scene import Scene

COLUMNS = set(MessageRow.__table__.columns.keys())
WRITTEN_BY_THE_DELETION = {"position", "changed_by", "updated_at", "deleted_at"}
KEPT = {
    "conversation_id": "place in the log",
    "seq": "place in the log, which has no holes",
    "created_position": "place in the log",
    "id": "readers know the message by it",
    "sender_id": "readers see whose message was deleted",
    "sent_at": "readers see when it was sent",
    "message_type": "one of four words",
    "reply_to": "the seq of another message",
    "client_id": "a retry of the send finds the message",
    "digest": "a retry with another body is refused",
}
"""Why a deletion leaves the value of a column."""


async def sent(database: Database, message: Draft) -> Message:
    async with database.transaction() as session:
        [outcome] = await send_batch(session, [message])
    assert isinstance(outcome, Sent)
    return msgspec.json.decode(outcome.message, type=Message)


async def stored(database: Database, message: Message) -> dict[str, Any]:
    columns = select(*MessageRow.__table__.columns).where(MessageRow.conversation_id == message.conversation)
    async with database.transaction() as session:
        rows = await session.execute(columns.where(MessageRow.id == message.id))
        return dict(rows.mappings().one())


def test_each_column_is_emptied_by_a_deletion_or_kept_for_a_reason() -> None:
    """A new column goes into `EMPTY` if senders write it: otherwise deleted messages would keep what it holds."""
    assert EMPTY.keys() | WRITTEN_BY_THE_DELETION | KEPT.keys() == COLUMNS
    assert len(EMPTY) + len(WRITTEN_BY_THE_DELETION) + len(KEPT) == len(COLUMNS)
    assert set(MessageBody.__struct_fields__) <= EMPTY.keys() | KEPT.keys()


@pytest.mark.parametrize(
    ("column", "content"),
    [
        ("text", {"message_type": "text", "text": "The engine weaves."}),
        ("media_url", {"message_type": "image", "media_url": "https://example.org/engine.png"}),
    ],
)
async def test_a_deletion_empties_what_the_sender_wrote(
    database: Database, scene: Scene, column: str, content: dict[str, Any]
) -> None:
    await sent(database, draft(scene.conversation, scene.grace, "text", "first"))
    message = await sent(database, draft(scene.conversation, scene.ada, **content, client_id="once", reply_to=1))
    before = await stored(database, message)
    async with database.transaction() as session:
        await edit.delete(session, scene.conversation, message.id, scene.ada)
    after = await stored(database, message)
    assert before[column] == content[column]
    assert {name: after[name] for name in EMPTY} == EMPTY
    assert {name: after[name] for name in KEPT} == {name: before[name] for name in KEPT}
    assert None not in [after[name] for name in (*KEPT, *WRITTEN_BY_THE_DELETION)]
    assert after["position"] > before["position"]
