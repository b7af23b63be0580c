"""`chat trace` shows what became of a message, without its text."""

from __future__ import annotations

import json
from uuid import UUID

import msgspec

from app.domain.conversations import groups, members
from app.domain.messages.schemas import Message
from app.domain.messages.send import Sent, send_batch
from app.domain.orm import uuid7
from app.domain.users.caller import Caller
from tests.cli.conftest import Cast
from tests.support.command import chat
from tests.support.drafts import draft
from tests.support.factories import LoginSessionFactory

SECRET = "the words of a message"


async def said(cast: Cast) -> Message:
    """By ada, in a group with linus."""
    login = LoginSessionFactory.build(user_id=cast.ada)
    async with cast.database.transaction() as session:
        session.add(login)
        group = await groups.create(session, cast.ada, "Engines", is_private=True)
        await members.add(session, group, cast.ada, cast.linus)
    async with cast.database.transaction() as session:
        (outcome,) = await send_batch(session, [draft(group, Caller(cast.ada, login.id), "text", SECRET)])
    assert isinstance(outcome, Sent)
    return msgspec.json.decode(outcome.message, type=Message)


async def test_a_message_is_traced_by_its_id(cast: Cast) -> None:
    message = await said(cast)
    shown = chat(cast.settings, "trace", str(message.id))
    assert shown.returncode == 0, shown.stderr
    lines = {line.split()[0]: line for line in shown.stdout.splitlines() if line}
    assert f"text, seq 1 of the group {message.conversation}" in lines["message"]
    assert "Ada Lovelace" in lines["sender"]
    assert f"yes, written at {message.sent_at:%Y-%m-%d %H:%M:%S}" in lines["committed"]
    assert lines["changed"].split(maxsplit=1)[1] == "never"
    assert "not recorded" in lines["published"]
    assert lines["read"].split(maxsplit=1)[1] == "by 0 of 1 members"
    assert lines["notified"].split(maxsplit=1)[1] == "decided for all but 1"
    assert "not decided yet" in lines["Linus"]
    assert SECRET not in shown.stdout

    facts = json.loads(chat(cast.settings, "trace", str(message.id), "--json").stdout)
    assert (facts["seq"], facts["published"]) == (1, "not_recorded")
    assert [UUID(one["user"]["id"]) for one in facts["members"]["items"]] == [cast.linus]


async def test_an_unknown_message_is_one_sentence(cast: Cast) -> None:
    shown = chat(cast.settings, "trace", str(uuid7()))
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr == "chat: There is no such message.\n"
    assert chat(cast.settings, "trace", "not-an-id").returncode == 2
