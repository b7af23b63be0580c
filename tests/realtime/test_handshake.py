"""Which handshakes open a socket, and the close codes of the others."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.auth import refresh as families
from app.domain.auth import socket_tickets
from app.domain.auth.tokens import Tokens
from app.domain.rates import Rate
from app.domain.users.models import LoginSession, User
from app.realtime.connection import connection
from app.server import limits
from tests.support.nodes import ORIGIN, SECRET, Node, eventually
from tests.support.scene import person


def moment(days: int = 0) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


async def test_a_bearer_header_opens_a_socket(node: Node) -> None:
    ada = await person(node.database, "Ada")
    for scheme in ("Bearer", "JWT", "bearer"):
        listener = await node.open(headers={"Authorization": f"{scheme} {node.access(ada)}"})
        assert (await listener.next())["type"] == "hello"


async def test_a_token_in_the_subprotocol_opens_a_socket_and_is_not_echoed(node: Node) -> None:
    ada = await person(node.database, "Ada")
    listener = await node.open(protocols=["chat.v1", f"bearer.{node.access(ada)}"])
    assert (await listener.next())["type"] == "hello"
    assert listener.socket.subprotocol == "chat.v1"


async def test_a_ticket_opens_one_socket(node: Node) -> None:
    ada = await person(node.database, "Ada")
    ticket = await node.do(socket_tickets.issue, ada)
    first = await node.open(f"?ticket={ticket.ticket}")
    assert (await first.next())["user"] == str(ada.user)
    second = await node.open(f"?ticket={ticket.ticket}")
    assert await second.closed() == 4401


async def test_a_token_in_the_query_opens_a_socket_unless_the_setting_forbids_it(node: Node) -> None:
    ada = await person(node.database, "Ada")
    listener = await node.open(f"?token={node.access(ada)}")
    assert (await listener.next())["type"] == "hello"
    node.live.endpoint._authenticator._query_tokens = False
    try:
        refused = await node.open(f"?token={node.access(ada)}")
        assert await refused.closed() == 4401
    finally:
        node.live.endpoint._authenticator._query_tokens = True


async def test_a_trailing_slash_changes_nothing(node: Node) -> None:
    ada = await person(node.database, "Ada")
    listener = await node.open(path="/ws/conversations/", headers={"Authorization": f"Bearer {node.access(ada)}"})
    assert (await listener.next())["type"] == "hello"


@pytest.mark.parametrize("query", ["", "?token=", "?token=x.y.z", "?ticket=nothing", "?ticket=%00", "?token=%ff"])
async def test_a_socket_without_credentials_is_accepted_and_closed_at_once(node: Node, query: str) -> None:
    listener = await node.open(query)
    assert await listener.closed() == 4401
    assert listener.socket.close_reason == "not_authenticated"
    assert listener.frames == []


async def test_only_a_live_access_token_opens_a_socket(node: Node) -> None:
    ada = await person(node.database, "Ada")
    expired = node.access(ada, seconds=-60)
    stranger = Tokens("another-secret-" + "0123456789abcdef" * 2)
    begin, end = moment(), moment(days=1)
    refresh, forged = (
        tokens.pair(user=ada.user, session=ada.session, generation=1, rotated_at=begin, expires_at=end)
        for tokens in (node.tokens, stranger)
    )
    for token in (expired, refresh.refresh, forged.access, node.access(ada)[:-2], f"{SECRET}"):
        listener = await node.open(headers={"Authorization": f"Bearer {token}"})
        assert await listener.closed() == 4401


async def test_an_ended_login_opens_no_socket_and_its_sockets_are_closed(node: Node) -> None:
    ada = await person(node.database, "Ada")
    listener = await node.join(ada)
    await node.do(families.end_logins, LoginSession.id == ada.session)
    assert await listener.closed() == 4401
    again = await node.open(headers={"Authorization": f"Bearer {node.access(ada)}"})
    assert await again.closed() == 4401
    assert again.frames == []


async def test_a_suspended_account_opens_no_socket(node: Node) -> None:
    ada = await person(node.database, "Ada")
    async with node.database.transaction() as session:
        (await session.get_one(User, ada.user)).suspended_at = moment()
    listener = await node.open(headers={"Authorization": f"Bearer {node.access(ada)}"})
    assert await listener.closed() == 4403
    assert listener.socket.close_reason == "suspended"
    assert listener.frames == []


async def test_a_page_of_another_origin_is_refused(node: Node) -> None:
    ada = await person(node.database, "Ada")
    proof = {"Authorization": f"Bearer {node.access(ada)}"}
    for origin in ("https://evil.example", "null", f"{ORIGIN}.evil.example", ORIGIN.replace("http:", "https:")):
        listener = await node.open(headers={**proof, "Origin": origin})
        assert await listener.closed() == 4403
        assert listener.socket.close_reason == "foreign_origin"
    ours = await node.open(headers={**proof, "Origin": ORIGIN})
    assert (await ours.next())["type"] == "hello"


async def test_a_socket_above_the_users_limit_is_closed_with_4429(node: Node) -> None:
    ada, grace = await person(node.database, "Ada"), await person(node.database, "Grace")
    listeners = [await node.join(ada) for _ in range(connection.SOCKETS_PER_USER)]
    extra = await node.open(headers={"Authorization": f"Bearer {node.access(ada)}"})
    assert await extra.closed() == 4429
    assert extra.socket.close_reason == "too_many"
    await node.join(grace)
    await listeners[0].close()
    await eventually(lambda: len(node.sockets(ada)) < connection.SOCKETS_PER_USER)
    await node.join(ada)


async def test_a_socket_closes_when_its_token_expires_unless_it_is_renewed(node: Node) -> None:
    ada = await person(node.database, "Ada")
    ending = await node.open(headers={"Authorization": f"Bearer {node.access(ada, seconds=2)}"})
    renewed = await node.open(headers={"Authorization": f"Bearer {node.access(ada, seconds=2)}"})
    await renewed.next("hello")
    await renewed.say("auth", token=node.access(ada), ref="again")
    await renewed.next("ack", ref="again")
    assert await ending.closed() == 4401
    await renewed.quiet("error")


async def test_a_token_of_another_login_renews_no_socket(node: Node) -> None:
    ada, eve = await person(node.database, "Ada"), await person(node.database, "Eve")
    listener = await node.join(ada)
    await listener.say("auth", token=node.access(eve), ref=1)
    assert (await listener.next("error", ref=1))["code"] == "another_login"
    await listener.say("auth", token="nonsense", ref=2)
    assert (await listener.next("error", ref=2))["code"] == "invalid_token"
    assert node.sockets(ada)[0].caller.user == ada.user


async def test_a_restart_closes_sockets_with_1012_and_admits_no_more(fresh_node: Node) -> None:
    node = fresh_node
    ada = await person(node.database, "Ada")
    listener = await node.join(ada)
    await node.live.drain()
    assert await listener.closed() == 1012
    late = await node.open(headers={"Authorization": f"Bearer {node.access(ada)}"})
    assert await late.closed() == 1012
    assert (listener.socket.close_reason, late.socket.close_reason) == ("restarting", "restarting")


async def test_an_unfinished_handshake_is_aborted(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.3)
    for beginning in (b"", b"GET /ws/conversations HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        writer.write(beginning)
        async with asyncio.timeout(5):
            with suppress(ConnectionError):
                answer = await reader.read()
                assert answer == b"" if not beginning else answer.startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_handshakes_without_a_token_are_throttled_apart_from_those_with_one(node: Node) -> None:
    ada = await person(node.database, "Ada")
    await node.redis_client.redis.flushall()
    node.throttles.rates["address"] = Rate(2, 60)
    codes = [await (await node.open(f"?ticket=guess{number}")).closed() for number in range(3)]
    assert codes == [4401, 4401, 4429]
    await node.join(ada)


async def test_opening_a_socket_counts_as_a_request(node: Node) -> None:
    ada, grace = await person(node.database, "Ada"), await person(node.database, "Grace")
    node.throttles.rates["requests"] = Rate(2, 60)
    await node.join(ada)
    await node.join(ada)
    third = await node.open(headers={"Authorization": f"Bearer {node.access(ada)}"})
    assert await third.closed() == 4429
    await node.join(grace)
