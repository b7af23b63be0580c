"""What is for operators does not exist for anybody else."""

from __future__ import annotations

import psycopg
import pytest

from app.settings import Settings
from tests.support.client import API, Answer
from tests.support.operators import root
from tests.system.conftest import Pair
from tests.system.test_routes import VARYING, fill, routes

PATHS = (f"{API}/ops/", f"{API}/development")


def of_operators(settings: Settings) -> list[tuple[str, str]]:
    found = [route.split(" ") for route, _ in routes(settings) if any(path in route for path in PATHS)]
    return [(method, path.removeprefix(API)) for method, path in found]


def seen(answer: Answer) -> tuple[int, bytes, list[tuple[str, str]]]:
    return answer.status, answer.content, [pair for pair in answer.headers.items() if pair[0] not in VARYING]


async def test_paths_of_operators_are_404_for_other_users(pair: Pair, settings: Settings) -> None:
    ada = await pair.one.register("Ada")
    nowhere = await ada.call("GET", "/nothing/here/")
    assert nowhere.problem.status == 404
    found = of_operators(settings)
    assert found
    for method, path in found:
        for body in (None, {"nonsense": True}):
            answer = await ada.call(method, fill(path) + "/", body)
            # An unknown path has no handler, so its response lacks the cache headers of an authenticated one.
            assert seen(answer)[:2] == seen(nowhere)[:2], f"{method} {path}"


async def test_every_route_of_operators_is_marked_as_such(settings: Settings) -> None:
    marked = {route for route, handler in routes(settings) if handler.opt.get("operators")}
    assert marked == {f"{method} {API}{path}" for method, path in of_operators(settings)}


async def test_an_operator_has_access_until_the_role_is_removed(pair: Pair, database_url: str) -> None:
    person = await root(pair.one, database_url)
    report = await person.get("/ops/queues/")
    assert {queue["name"] for queue in report["queues"]} >= {"cache", "notifications", "upkeep"}
    with psycopg.connect(database_url, connect_timeout=3) as connection:
        connection.execute("UPDATE users SET is_operator = false WHERE id = %s", [person.id])
    assert (await person.call("GET", "/ops/queues/")).problem.status == 404


@pytest.mark.parametrize("how", ["logout", "suspended"])
async def test_an_operator_with_an_ended_login_or_account_is_401(pair: Pair, database_url: str, how: str) -> None:
    person = await root(pair.one, database_url)
    if how == "logout":
        await person.post("/logout/")
    else:
        with psycopg.connect(database_url, connect_timeout=3) as connection:
            connection.execute("UPDATE users SET suspended_at = now() WHERE id = %s", [person.id])
    for node in (pair.one, pair.two):
        assert (await person.at(node).call("GET", "/ops/queues/")).problem.status == 401
