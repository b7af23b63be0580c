"""Every route requires a login unless it is marked public, and no id reveals anything to an outsider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from app.domain.orm import uuid7
from app.main import create_app
from app.settings import Settings
from tests.support.client import API, Answer, Person, Socket
from tests.support.ledger import log_state
from tests.system.conftest import Pair

CONVERSATION = "/conversations/{conversation_id}"
MESSAGE = CONVERSATION + "/messages/{message_id}"
SOMEBODY = {"user": "{eve}"}
CASES: dict[str, Any] = {
    f"GET {CONVERSATION}": None,
    f"PATCH {CONVERSATION}": {"name": "Mine now"},
    f"DELETE {CONVERSATION}": None,
    f"GET {CONVERSATION}/members": None,
    f"POST {CONVERSATION}/join": None,
    f"POST {CONVERSATION}/leave_conversation": None,
    f"POST {CONVERSATION}/add_member": SOMEBODY,
    f"POST {CONVERSATION}/remove_member": SOMEBODY,
    f"POST {CONVERSATION}/make_admin": SOMEBODY,
    f"POST {CONVERSATION}/remove_admin": SOMEBODY,
    f"PUT {CONVERSATION}/read": {"seq": 1},
    f"PUT {CONVERSATION}/hidden": {"hidden": True},
    f"POST {CONVERSATION}/mark_message_read": {"data": [{"message": "{message_id}"}]},
    f"GET {CONVERSATION}/changes": None,
    f"GET {CONVERSATION}/messages": None,
    f"POST {CONVERSATION}/messages": {"message_type": "text", "text": "hello?"},
    f"GET {MESSAGE}": None,
    f"PATCH {MESSAGE}": {"text": "rewritten"},
    f"PUT {MESSAGE}": {"text": "rewritten"},
    f"DELETE {MESSAGE}": None,
    f"GET {CONVERSATION}/notifications": None,
    f"PUT {CONVERSATION}/notifications": {"level": "none"},
    f"GET {MESSAGE}/notifications": None,
    "DELETE /sessions/{login_id}": None,
}
"""For every route with an id, a body that passes validation: a refusal then depends on the caller alone."""

LIBRARY = "/docs/raw"
"""Where the library shows the very document that is public at /openapi.json."""

VARYING = ("date", "x-request-id")


class Scene(msgspec.Struct, frozen=True):
    """ada's private conversation with one message, of which linus was a member; eve knows all the ids."""

    ada: Person
    linus: Person
    eve: Person
    ids: dict[str, str]


@pytest.fixture
async def scene(pair: Pair) -> Scene:
    ada, linus, eve = [await pair.one.register(name) for name in ("Ada", "Linus", "Eve")]
    scene = Scene(ada, linus, eve, await own_ids(ada, linus, eve))
    await ada.post(f"/conversations/{scene.ids['conversation_id']}/remove_member/", user=linus.id)
    return scene


async def own_ids(person: Person, *members: Person) -> dict[str, str]:
    conversation = await person.converse(*members[:1])
    message = (await person.say(conversation, "between ourselves")).good(201)
    logins = (await person.get("/sessions/"))["items"]
    return {
        "conversation_id": conversation,
        "message_id": message["id"],
        "login_id": logins[0]["id"],  # if there are several, not the caller's own: ending that is a case
        "eve": members[-1].id,
    }


def routes(settings: Settings) -> Iterator[tuple[str, HTTPRouteHandler]]:
    """Every "METHOD path" of the application. OPTIONS are the library's own and say what the document says."""
    for route in create_app(settings).routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                if method != "OPTIONS":
                    yield f"{method} {route.path_format}", handler


async def try_case(person: Person, case: str, ids: dict[str, str]) -> Answer:
    method, _, path = case.partition(" ")
    body = msgspec.json.encode(CASES[case]).decode()
    for name, value in ids.items():
        path, body = path.replace(f"{{{name}}}", value), body.replace(f"{{{name}}}", value)
    return await person.call(method, path, msgspec.json.decode(body))


def seen(answer: Answer) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Everything by which a caller can distinguish two responses."""
    return answer.status, answer.content, [pair for pair in answer.headers.items() if pair[0] not in VARYING]


async def test_every_route_not_marked_public_requires_an_access_token(pair: Pair, settings: Settings) -> None:
    ada = await pair.one.register("Ada")
    closed = 0
    for route, handler in routes(settings):
        if handler.opt.get("public") or f" {LIBRARY}" in route:
            continue
        closed += 1
        method, _, path = route.partition(" ")
        for authorization in ("", f"Bearer {ada.refresh}", f"Basic {ada.access}", "Bearer", "Bearer x.y.z"):
            headers = {"Authorization": authorization} if authorization else {}
            answer = await pair.one.request(method, fill(path), headers=headers)
            assert answer.problem.status == 401, f"{route} with {authorization[:12]!r}"
            assert answer.headers["www-authenticate"]
    assert closed > 30


async def test_a_socket_requires_an_access_token(pair: Pair) -> None:
    ada = await pair.one.register("Ada")
    for token in (None, ada.refresh, "x.y.z"):
        async with Socket.opened(pair.one, token) as socket:
            assert await socket.closed() == 4401
            assert socket.frames == []


async def test_public_routes_are_the_ones_the_contract_marks(settings: Settings) -> None:
    public = {route for route, handler in routes(settings) if handler.opt.get("public")}
    assert {route for route in public if API in route} == {
        f"GET {API}",
        f"POST {API}/users",
        f"GET {API}/registration",
        f"POST {API}/invites/check",
        f"POST {API}/login",
        f"POST {API}/first-login",
        f"POST {API}/refresh",
        f"POST {API}/verify",
        f"POST {API}/activate",
        f"POST {API}/resend-activation",
        f"POST {API}/forgot-password",
        f"POST {API}/forgot-password-confirm",
        f"POST {API}/confirm-email",
        f"POST {API}/unsubscribe",
        f"POST {API}/unsubscribe/one-click",
        f"GET {API}/unsubscribe/one-click",
    }


async def test_every_route_with_an_id_has_a_case(settings: Settings) -> None:
    with_ids = {route.replace(API, "", 1) for route, _ in routes(settings) if f" {API}/" in route and "{" in route}
    # Those of operators are alike for all others: test_operators.py.
    assert {route for route in with_ids if " /ops/" not in route} == set(CASES)


@pytest.mark.parametrize("who", ["eve", "linus"])
async def test_an_outsider_cannot_tell_a_private_conversation_from_none(
    scene: Scene, who: str, database_url: str
) -> None:
    outsider: Person = getattr(scene, who)
    before = log_state(database_url, scene.ids["conversation_id"])
    for case in CASES:
        nowhere = {name: str(uuid7()) for name in ("conversation_id", "message_id", "login_id")}
        real = await try_case(outsider, case, scene.ids)
        assert real.problem.status == 404, case
        assert seen(real) == seen(await try_case(outsider, case, scene.ids | nowhere)), case
        only_here = scene.ids | {"conversation_id": nowhere["conversation_id"]}
        if "login_id" not in case:
            assert seen(real) == seen(await try_case(outsider, case, only_here)), case
    assert log_state(database_url, scene.ids["conversation_id"]) == before


async def test_the_same_cases_succeed_for_the_creator(pair: Pair) -> None:
    ada, linus, eve = [await pair.one.register(name) for name in ("Ada", "Linus", "Eve")]
    await ada.node.log_in(ada.email)
    ids = await own_ids(ada, linus, eve)
    for case in CASES:
        # What ends her access is tried on another conversation.
        ends = case in (f"DELETE {CONVERSATION}", f"POST {CONVERSATION}/leave_conversation")
        answer = await try_case(ada, case, await own_ids(ada, linus, eve) if ends else ids)
        assert answer.status not in (400, 401, 404), f"{case}: {answer.content!r}"


async def test_a_message_is_not_found_under_another_conversations_path(scene: Scene) -> None:
    own = await own_ids(scene.eve, scene.linus, scene.eve)
    for case in CASES:
        if "message_id" in case or "message_id" in str(CASES[case]):
            foreign = await try_case(scene.eve, case, own | {"message_id": scene.ids["message_id"]})
            assert foreign.problem.status == 404, case
            assert seen(foreign) == seen(await try_case(scene.eve, case, own | {"message_id": str(uuid7())})), case


def fill(path: str) -> str:
    """The path with unknown ids."""
    while "{" in path:
        before, _, rest = path.partition("{")
        path = f"{before}{uuid7()}{rest.partition('}')[2]}"
    return path
