"""What a request costs: its statements in Postgres, and its round trips to Redis.

BEGIN and COMMIT are no statements here; they are two round trips more wherever a number is above one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

import pytest

from app.domain.users.caller import Caller
from tests.system.costs.conftest import Chat

Request = Callable[[], Awaitable[object]]
Asked = tuple[str, str, object]
MESSAGES = "messages/?limit=10"


async def conversation(chat: Chat) -> tuple[UUID, Caller, Caller]:
    """A group of two, in which each has sent something."""
    ada, grace = await chat.person("Ada"), await chat.person("Grace")
    group = await chat.group(ada, grace)
    for sender in (ada, grace):
        await chat.send(group, sender)
    return group, ada, grace


async def sending(chat: Chat) -> Request:
    group, ada, _ = await conversation(chat)
    return partial(chat.send, group, ada)


async def retrying(chat: Chat) -> Request:
    group, ada, _ = await conversation(chat)
    body = {"message_type": "text", "text": "hello", "client_id": "a"}
    retry = partial(chat.ask, ada, "POST", f"{group}/messages/", body)
    await retry()
    return retry


async def reading_first(chat: Chat) -> Request:
    group, ada, _ = await conversation(chat)
    return partial(chat.ask, ada, "GET", f"{group}/{MESSAGES}")


async def reading_again(chat: Chat) -> Request:
    again = await reading_first(chat)
    await again()
    return again


async def test_a_send_costs_one_statement(chat: Chat) -> None:
    """The function judges the login and the membership, and is a transaction of its own."""
    assert await chat.statements(partial(sending, chat)) == 1


async def test_a_replay_costs_one_statement_more(chat: Chat) -> None:
    """The message that was stored, as it stands now."""
    assert await chat.statements(partial(retrying, chat)) == 2


async def test_a_page_read_again_costs_no_statement(chat: Chat) -> None:
    """The access cache has the membership, and the page cache has the page."""
    assert await chat.statements(partial(reading_again, chat)) == 0


async def test_a_page_read_for_the_first_time_costs_one_statement(chat: Chat) -> None:
    """The door, which judges the login; the page itself is the cache's."""
    assert await chat.statements(partial(reading_first, chat)) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "statements"),
    # The list checks the login in its one statement. The others check the login, then the access, then read what
    # is wanted; the door of a conversation that is opened is its line of the list, followed by its members.
    [
        pytest.param("GET", "", None, 1, id="list"),
        pytest.param("GET", "{group}/changes/?after=1", None, 3, id="changes"),
        pytest.param("GET", "{group}", None, 3, id="conversation"),
        pytest.param("PUT", "{group}/read", {"seq": 2}, 3, id="mark-read"),
    ],
)
async def test_other_routes_have_a_fixed_number_of_statements(
    chat: Chat, method: str, path: str, body: object, statements: int
) -> None:
    async def prepare() -> Request:
        group, ada, _ = await conversation(chat)
        return partial(chat.ask, ada, method, path.format(group=group), body)

    assert await chat.statements(prepare) == statements


async def test_a_send_costs_two_round_trips_to_redis(chat: Chat) -> None:
    """The throttles of requests and messages in one call, and the cache's write with the publish."""
    assert await chat.calls(partial(sending, chat)) == 2


async def test_a_page_costs_two_round_trips_to_redis(chat: Chat) -> None:
    """The throttle of requests and, beside it, the cache."""
    assert await chat.calls(partial(reading_again, chat)) == 2
