"""Invites across processes: the last use, and what the log keeps of a token."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import msgspec
import psycopg
import pytest

from tests.support.client import API, Answer, Node, eventually
from tests.support.invites import applicant
from tests.support.operators import root
from tests.support.processes import Api, processes
from tests.support.servers import TestPostgres, count, public_directory, worker_name

ATTEMPTS = 6
"""At each process, of registrations with one invite."""


class InviteOnly(msgspec.Struct, frozen=True):
    """Two processes that register by invite, and one that is open, on a database of their own."""

    apis: list[Api]
    database_url: str


@pytest.fixture(scope="module")
def invite_only(postgres: TestPostgres, redis_url: str) -> Iterator[InviteOnly]:
    name = f"chat_{worker_name()}_invites"
    url = postgres.create(name)
    with public_directory() as directory, processes(directory, url, redis_url) as started:
        by_invite = {"REGISTRATION": "invite"}
        yield InviteOnly(started.apis(by_invite, by_invite, {}), url)
    postgres.drop(name)


@pytest.fixture
async def nodes(invite_only: InviteOnly) -> AsyncIterator[list[Node]]:
    found = [Node(api.url) for api in invite_only.apis]
    yield found
    for node in found:
        await node.close()


async def test_the_last_use_is_taken_once_by_registrations_at_two_processes(
    invite_only: InviteOnly, nodes: list[Node]
) -> None:
    one, two, elsewhere = nodes
    operator = await root(elsewhere, invite_only.database_url)
    for _ in range(3):
        invite = await operator.at(one).post("/ops/invites/", max_uses=1)
        bodies = [
            applicant(f"{invite['id']}.{number}@example.org", invite=invite["token"]) for number in range(ATTEMPTS)
        ]
        answers = await asyncio.gather(
            *(
                node.request("POST", f"{API}/users/", json=body | {"email": f"{place}.{body['email']}"})
                for place, node in enumerate((one, two))
                for body in bodies
            )
        )
        assert Counter(answer.status for answer in answers) == {201: 1, 403: 2 * ATTEMPTS - 1}
        assert {answer.problem.code for answer in answers if answer.status == 403} == {"invalid_invite"}
        made = f"SELECT count(*) FROM users WHERE email LIKE '%{invite['id']}%'"
        assert count(invite_only.database_url, made) == 1
        assert count(invite_only.database_url, f"SELECT uses FROM invites WHERE id = '{invite['id']}'") == 1


async def test_of_registrations_at_two_processes_that_wait_for_the_last_use_one_gets_it(
    invite_only: InviteOnly, nodes: list[Node]
) -> None:
    """Both have found the invite open, and reach its row while another transaction holds it."""
    one, two, elsewhere = nodes
    operator = await root(elsewhere, invite_only.database_url)
    invite = await operator.at(one).post("/ops/invites/", max_uses=1)
    with psycopg.connect(invite_only.database_url, connect_timeout=3) as connection:
        connection.execute("SELECT FROM invites WHERE id = %s FOR UPDATE", [invite["id"]])
        registering = [register_at(node, invite["token"]) for node in (one, two)]
        await eventually(lambda: are_waiting(invite_only.database_url, 2))
        connection.rollback()
    answers = await asyncio.gather(*registering)
    assert sorted(answer.status for answer in answers) == [201, 403]
    assert count(invite_only.database_url, f"SELECT uses FROM invites WHERE id = '{invite['id']}'") == 1


async def test_a_registration_that_is_rolled_back_leaves_the_use_to_another_one(
    invite_only: InviteOnly, nodes: list[Node]
) -> None:
    """The row of the invite is held by a transaction that ends without a commit, while a registration waits for it."""
    one, _, elsewhere = nodes
    operator = await root(elsewhere, invite_only.database_url)
    invite = await operator.at(one).post("/ops/invites/", max_uses=1)
    with psycopg.connect(invite_only.database_url, connect_timeout=3) as connection:
        connection.execute("UPDATE invites SET uses = uses + 1 WHERE id = %s", [invite["id"]])
        registering = register_at(one, invite["token"])
        await eventually(lambda: are_waiting(invite_only.database_url, 1))
        connection.rollback()
    assert (await registering).status == 201
    assert count(invite_only.database_url, f"SELECT uses FROM invites WHERE id = '{invite['id']}'") == 1


def register_at(node: Node, token: str) -> asyncio.Task[Answer]:
    return asyncio.create_task(node.request("POST", f"{API}/users/", json=applicant(invite=token)))


async def are_waiting(database_url: str, number: int) -> bool:
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock' AND query LIKE 'UPDATE invites%'"
    )
    return await asyncio.to_thread(count, database_url, query) == number


async def test_no_log_has_a_token(invite_only: InviteOnly, nodes: list[Node]) -> None:
    one, _, elsewhere = nodes
    operator = await root(elsewhere, invite_only.database_url)
    invite = await operator.at(one).post("/ops/invites/")
    (await one.request("POST", f"{API}/invites/check/", json={"token": invite["token"]})).good(200)
    (await one.request("POST", f"{API}/users/", json=applicant(invite=invite["token"]))).good(201)
    assert (await one.request("POST", f"{API}/invites/check/", json={"token": invite["token"]})).status == 404
    await eventually(lambda: invite_only.apis[0].said.count(f"{API}/invites/check") == 2)
    assert invite["token"] not in invite_only.apis[0].said
