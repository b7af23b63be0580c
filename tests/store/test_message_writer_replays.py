"""A retry is answered with the message that was stored before, whatever release stored it, as it stands now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import psycopg
import pytest

from app.db import Database
from app.domain.errors import Unavailable
from app.domain.messages.edit import edit
from app.domain.messages.schemas import Message
from app.domain.messages.send import Draft, Sent
from app.store.message_writer import MessageWriter
from tests.support.drafts import draft
from tests.support.scene import Scene, group
from tests.support.statements import recorded_statements

FORMER_DIGEST = bytes.fromhex("11cea47d2ee2d7e0108c73839c1b46cd")
"""Of the text `hello`, by release 1.0.0."""


def message(sent: Sent) -> Message:
    return msgspec.json.decode(sent.message, type=Message)


async def send_all(writer: MessageWriter, drafts: Sequence[Draft]) -> list[Sent | BaseException]:
    return await asyncio.gather(*(writer.send(one) for one in drafts), return_exceptions=True)


async def test_a_retry_of_what_release_1_0_0_stored_is_a_replay(
    database: Database, database_url: str, scene: Scene, writer: MessageWriter
) -> None:
    known = draft(scene.conversation, scene.ada, "text", "hello", client_id="a")
    first = message(await writer.send(known))
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE messages SET digest = %s WHERE conversation_id = %s AND id = %s",
            [FORMER_DIGEST, scene.conversation, first.id],
        )
    again = await writer.send(known)
    assert again.replayed
    assert message(again) == first


async def test_a_replay_is_the_message_as_it_stands_now(
    database: Database, scene: Scene, writer: MessageWriter
) -> None:
    known = draft(scene.conversation, scene.ada, "text", "hello", client_id="a")
    first = message(await writer.send(known))
    async with database.transaction() as session:
        edited = await edit(session, scene.conversation, first.id, scene.ada, text="bye")
    again = await writer.send(known)
    assert again.replayed
    assert message(again) == edited


async def test_replays_and_new_messages_of_one_batch_have_their_own_answers(
    database: Database, scene: Scene, writer: MessageWriter
) -> None:
    rooms = [scene.conversation, await group(database, scene.ada), await group(database, scene.ada)]
    known = [draft(room, scene.ada, "text", f"known {at}", client_id=f"{at}") for at in range(3) for room in rooms]
    stored = [message(one) for one in await send_all(writer, known) if isinstance(one, Sent)]
    new = [draft(room, scene.ada, "text", "new") for room in rooms]
    await writer.send(draft(scene.conversation, scene.ada, "text", "warm-up"))
    with recorded_statements(database) as statements:
        answers = [one for one in await send_all(writer, [*known[5:], *new, *known[:5]]) if isinstance(one, Sent)]
    assert [message(one) for one in answers if one.replayed] == [*stored[5:], *stored[:5]]
    assert [message(one).text for one in answers if not one.replayed] == ["new"] * 3
    # One statement for all the replays of a batch.
    assert 1 <= len(statements) <= 4


async def test_a_replay_that_cannot_be_read_fails_alone(
    database: Database, scene: Scene, writer: MessageWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = draft(scene.conversation, scene.ada, "text", "hello", client_id="a")
    await writer.send(known)

    async def away(*_: object) -> None:
        raise Unavailable("away", "The database is away.")

    monkeypatch.setattr(database, "read", away)
    refused, sent = await send_all(writer, [known, draft(scene.conversation, scene.ada, "text", "new")])
    assert isinstance(refused, Unavailable)
    assert refused.code == "away"
    assert isinstance(sent, Sent)
    assert message(sent).seq == 2
    monkeypatch.undo()
    assert (await writer.send(known)).replayed
