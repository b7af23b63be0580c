"""Lists of many people that are read at once: each is what it would be alone, and nothing for a login that is over."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.domain.conversations import directs, groups
from app.domain.inbox.queries import inbox, page_of
from app.domain.inbox.snapshot import SnapshotRequest, newest
from tests.support.conversations import Cast, Chat
from tests.support.statements import recorded_statements


async def test_lists_read_together_equal_lists_read_alone(chat: Chat, cast: Cast) -> None:
    for number in range(3):
        await chat.send(await chat.group(cast, name=f"Room {number}"), cast.ada)
    await chat.do(directs.get_or_create, cast.linus, cast.ada)
    await chat.do(groups.delete, await chat.group(cast), cast.ada)
    askers = [
        chat.asker(cast.ada),
        chat.asker(cast.linus, 3),
        chat.asker(cast.linus, 9),
        chat.asker(cast.eve, 3),
        SnapshotRequest(cast.grace, chat.caller(cast.ada).session, 3),
    ]
    with recorded_statements(chat.database) as statements:
        everything, three, fewer, nothing, refused = await chat.do(newest, askers)
    assert len(statements) == 1
    assert everything == (await chat.do(inbox, cast.ada)).items
    assert everything is not None
    assert len(everything) == 4
    assert fewer == (await chat.do(inbox, cast.linus)).items
    assert three is not None
    assert len(three) == 3
    assert page_of(three, 2) == await chat.do(inbox, cast.linus, limit=2)
    assert nothing == []
    assert refused is None


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE login_sessions SET revoked_at = now() WHERE user_id = :user",
        "UPDATE login_sessions SET expires_at = now() WHERE user_id = :user",
        "UPDATE users SET suspended_at = now() WHERE id = :user",
    ],
)
async def test_an_ended_login_receives_no_list(chat: Chat, cast: Cast, end: str) -> None:
    await chat.group(cast)
    askers = [chat.asker(cast.linus, 51), chat.asker(cast.grace, 51)]
    await chat.sql(end, user=cast.linus)
    refused, given = await chat.do(newest, askers)
    assert refused is None
    assert given is not None
    assert len(given) == 1


async def test_repeated_list_queries_reuse_a_plan(chat: Chat, cast: Cast) -> None:
    await chat.group(cast)
    async with chat.database.read_only() as reader:
        for _ in range(12):
            await newest(reader, [chat.asker(cast.linus, 51)])
            await inbox(reader, cast.linus)
        plans = await reader.execute(
            text(
                "SELECT cardinality(parameter_types), generic_plans >= 5 FROM pg_prepared_statements"
                " WHERE statement LIKE '%last_message%' ORDER BY 1"
            )
        )
        (alone, _), (together, often) = plans
    # What never changes is no parameter: at a limit it does not know, the planner guesses wrong.
    assert alone == len(("user", "most"))
    assert together == len(("users", "logins", "mosts", "cut"))
    assert often
