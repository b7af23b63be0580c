"""However a login ends, its sockets are closed with 4401 within two seconds, at every process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from tests.support.client import API, PASSWORD, Person
from tests.system.conftest import Pair

NOT_AUTHENTICATED = 4401
SECONDS = 2.0


async def logging_out(ada: Person, _elsewhere: Person, _database: str) -> None:
    (await ada.call("POST", "/logout/")).good(204)


async def ending_it_from_another(_ada: Person, elsewhere: Person, _database: str) -> None:
    other = (await elsewhere.get("/sessions/"))["items"]
    [login] = [one["id"] for one in other if not one["current"]]
    (await elsewhere.call("DELETE", f"/sessions/{login}/")).good(204)


async def changing_the_password_on_another(_ada: Person, elsewhere: Person, _database: str) -> None:
    change = {"current_password": PASSWORD, "new_password": "another one, and better"}
    (await elsewhere.call("POST", "/reset-password/", change)).good(204)


async def closing_the_account_on_another(_ada: Person, elsewhere: Person, _database: str) -> None:
    (await elsewhere.call("DELETE", "/me/", {"current_password": PASSWORD})).good(204)


async def using_a_spent_refresh_token(ada: Person, _elsewhere: Person, database: str) -> None:
    node = ada.node
    (await node.request("POST", f"{API}/refresh/", json={"refresh": ada.refresh})).good(200)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "UPDATE login_sessions SET rotated_at = rotated_at - interval '11 s' WHERE user_id = %s", [ada.id]
        )
    again = await node.request("POST", f"{API}/refresh/", json={"refresh": ada.refresh})
    assert again.problem.code == "token_reused"


@pytest.mark.parametrize(
    "end",
    [
        logging_out,
        ending_it_from_another,
        changing_the_password_on_another,
        closing_the_account_on_another,
        using_a_spent_refresh_token,
    ],
)
async def test_an_ended_login_closes_its_sockets_everywhere(
    pair: Pair, database_url: str, end: Callable[[Person, Person, str], Awaitable[None]]
) -> None:
    ada = await pair.one.register("Ada")
    elsewhere = await pair.one.log_in(ada.email)
    async with ada.listening() as here, ada.at(pair.two).listening() as there:
        await end(ada, elsewhere, database_url)
        async with asyncio.timeout(SECONDS):
            assert [await one.closed() for one in (here, there)] == [NOT_AUTHENTICATED] * 2
    assert (await ada.at(pair.two).call("GET", "/me/")).status == 401
