"""The routes of conversations, through the whole application: statuses, codes, shapes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from litestar.testing import AsyncTestClient

from app.domain.auth.tokens import Tokens
from app.domain.inbox.queries import inbox
from app.domain.inbox.schemas import ConversationPage
from app.main import create_app
from app.settings import Settings
from tests.support.conversations import Cast, Chat

Json = dict[str, Any]


class Web:
    """Requests of the cast."""

    def __init__(self, client: httpx.AsyncClient, chat: Chat, secret: str) -> None:
        self._client = client
        self._chat = chat
        self._tokens = Tokens(secret)

    async def __call__(
        self, method: str, path: str, who: UUID | None, status: int, body: object = None, **query: object
    ) -> Any:
        """Sends the request as `who`, asserts the status, and returns the decoded response."""
        headers = {}
        if who is not None:
            now, caller = datetime.now(UTC), self._chat.caller(who)
            pair = self._tokens.pair(
                user=caller.user,
                session=caller.session,
                generation=1,
                rotated_at=now,
                expires_at=now + timedelta(days=1),
            )
            headers["Authorization"] = f"Bearer {pair.access}"
        answer = await self._client.request(
            method,
            f"/api/v1/conversations{path}",
            json=body,
            headers=headers,
            params=query,  # type: ignore[arg-type]
        )
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
async def web(settings: Settings, chat: Chat) -> AsyncIterator[Web]:
    async with AsyncTestClient(create_app(settings), base_url="http://testserver.local") as client:
        yield Web(client, chat, settings.secret_key)


async def test_the_list_is_paged_and_searched(web: Web, chat: Chat, cast: Cast) -> None:
    for number in range(3):
        await chat.send(await chat.group(cast, name=f"Room {number}"), cast.ada)
    for query in ({}, {"search": "room"}, {"search": ""}):
        pages = [await web("GET", "/", cast.linus, 200, limit=2, **query)]
        pages.append(await web("GET", "/", cast.linus, 200, limit=2, cursor=pages[0]["next"], **query))
        assert [len(page["items"]) for page in pages] == [2, 1]
        assert pages[1]["next"] is None
        listed = ConversationPage(items=(await chat.do(inbox, cast.linus)).items, next=None)
        assert [*pages[0]["items"], *pages[1]["items"]] == msgspec.to_builtins(listed)["items"]
    assert (await web("GET", "/", cast.linus, 200, search="nothing"))["items"] == []
    assert (await web("GET", "/", cast.linus, 400, cursor="nothing"))["code"] == "invalid_cursor"
    assert (await web("GET", "/", cast.linus, 400, search="a\0b"))["code"] == "invalid"


async def test_an_ended_login_lists_nothing(web: Web, chat: Chat, cast: Cast) -> None:
    await chat.group(cast)
    await chat.group(cast)
    cursor = (await web("GET", "/", cast.linus, 200, limit=1))["next"]
    await chat.sql("UPDATE login_sessions SET revoked_at = now() WHERE user_id = :user", user=cast.linus)
    for query in ({}, {"cursor": cursor}, {"search": "Mathematicians"}):
        assert (await web("GET", "/", cast.linus, 401, **query))["code"] == "login_ended"
    assert len((await web("GET", "/", cast.grace, 200))["items"]) == 2


async def test_a_group_lives_from_creation_to_deletion(web: Web, cast: Cast) -> None:
    made = await web("POST", "/", cast.ada, 201, {"name": "Engines"})
    assert (made["kind"], made["name"], made["is_private"], made["role"]) == ("group", "Engines", False, "admin")
    assert (made["creator"], made["created_by"], made["member_count"]) == (str(cast.ada), str(cast.ada), 1)
    room = f"/{made['id']}"
    assert (await web("GET", f"{room}/", cast.ada, 200)) == made
    listed = await web("GET", "/", cast.ada, 200)
    assert listed == {"items": [{key: made[key] for key in listed["items"][0]}], "next": None}
    await web("POST", f"{room}/add_member/", cast.ada, 204, {"user": str(cast.grace)})
    await web("POST", f"{room}/make_admin/", cast.ada, 204, {"user": str(cast.grace)})
    await web("POST", f"{room}/join", cast.linus, 204)
    people = await web("GET", f"{room}/members/", cast.linus, 200)
    assert [(one["user"]["first_name"], one["role"]) for one in people["items"]] == [
        ("Ada", "admin"), ("Grace", "admin"), ("Linus", "member"),
    ]  # fmt: skip
    assert {"joined_at", "read_seq"} <= set(people["items"][0])
    changed = await web("PATCH", f"{room}/", cast.grace, 200, {"is_private": True, "name": "Hidden"})
    assert (changed["name"], changed["is_private"], changed["position"]) == ("Hidden", True, made["position"] + 4)
    await web("POST", f"{room}/remove_admin/", cast.ada, 204, {"user": str(cast.grace)})
    await web("POST", f"{room}/remove_member/", cast.ada, 204, {"user": str(cast.grace)})
    await web("POST", f"{room}/leave_conversation/", cast.ada, 204)
    assert (await web("GET", f"{room}/", cast.linus, 200))["creator"] == str(cast.linus)
    page = await web("GET", f"{room}/changes/", cast.linus, 200, after=made["position"], limit=2)
    assert (page["complete"], len(page["items"]), page["position"]) == (False, 2, page["items"][-1]["position"])
    await web("DELETE", f"{room}/", cast.linus, 204)
    await web("GET", f"{room}/", cast.linus, 404)


async def test_a_direct_conversation_is_opened_once(web: Web, cast: Cast) -> None:
    made = await web("POST", "/", cast.ada, 201, {"kind": "direct", "user": str(cast.linus)})
    again = await web("POST", "/", cast.linus, 200, {"kind": "direct", "user": str(cast.ada)})
    assert (again["id"], again["peer"]["id"]) == (made["id"], str(cast.ada))
    problem = await web("POST", "/", cast.ada, 400, {"kind": "direct", "user": str(cast.ada)})
    assert problem["code"] == "yourself"
    for verb in ("join", "leave_conversation"):
        assert (await web("POST", f"/{made['id']}/{verb}/", cast.ada, 409))["code"] == "direct"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x" * 101},
        {"name": 7},
        {"name": None},
        {"name": "Room", "user": "01926e2e-0000-7000-8000-000000000000"},
        {"kind": "direct"},
        {"kind": "direct", "user": "01926e2e-0000-7000-8000-000000000000", "name": "Room"},
        {"kind": "direct", "user": "01926e2e-0000-7000-8000-000000000000"},
        {"kind": "direct", "user": "nobody"},
        {"kind": "channel", "name": "Room"},
        {"name": "Room", "creator": "01926e2e-0000-7000-8000-000000000000"},
        {"name": "Room", "role": "admin"},
        {"name": "Room", "last_seq": 5},
        ["Room"],
    ],
)
async def test_an_invalid_body_creates_no_conversation(web: Web, cast: Cast, body: object) -> None:
    problem = await web("POST", "/", cast.ada, 400, body)
    assert problem["code"] in {"invalid", "unknown_user", "malformed"}


async def test_read_marks_move_over_rest(web: Web, chat: Chat, cast: Cast) -> None:
    room = await chat.group(cast)
    sent = [await chat.send(room, cast.ada) for _ in range(3)]
    assert await web("PUT", f"/{room}/read/", cast.linus, 200, {"seq": 2}) == {"read_seq": 2, "unread": 1}
    assert await web("PUT", f"/{room}/read/", cast.linus, 200, {"seq": 1}) == {"read_seq": 2, "unread": 1}
    await web("PUT", f"/{room}/read/", cast.linus, 400, {"seq": 4})
    await web("PUT", f"/{room}/read/", cast.linus, 400, {"seq": 2**70})
    mark = {"message": str(sent[2].id), "seen_at": "2026-01-01T00:00:00Z"}
    await web("POST", f"/{room}/mark_message_read/", cast.linus, 204, {"data": [mark]})
    assert (await web("GET", f"/{room}/", cast.linus, 200))["read_seq"] == 3
    await web("POST", f"/{room}/mark_message_read/", cast.linus, 404, {"data": [{"message": str(uuid4())}]})
    await web("POST", f"/{room}/mark_message_read/", cast.linus, 400, {"data": []})
    await web("POST", f"/{room}/mark_message_read/", cast.linus, 400, {"data": [{"message": "one"}]})


async def test_list_parameters_out_of_range_are_refused(web: Web, chat: Chat, cast: Cast) -> None:
    room = await chat.group(cast)
    for path in ("/", "/discover/", f"/{room}/members/", f"/{room}/changes/"):
        for limit in ("0", "101", "-1", "many"):
            assert (await web("GET", path, cast.ada, 400, limit=limit))["code"] == "invalid"
        await web("GET", path, cast.ada, 200, limit="100")
    for path in ("/", "/discover/", f"/{room}/members/"):
        assert (await web("GET", path, cast.ada, 400, cursor="nowhere"))["code"] == "invalid_cursor"
    for after in ("-1", "1.5", str(2**63), "x"):
        await web("GET", f"/{room}/changes/", cast.ada, 400, after=after)
    assert (await web("GET", f"/{room}/changes/", cast.ada, 409, after="1000"))["code"] == "reset"
    assert (await web("PATCH", f"/{room}/", cast.ada, 400, {}))["code"] == "invalid"


ROUTES = [
    ("GET", "/", None),
    ("PATCH", "/", {"name": "Mine"}),
    ("DELETE", "/", None),
    ("GET", "/members/", None),
    ("GET", "/changes/", None),
    ("POST", "/join/", None),
    ("POST", "/leave_conversation/", None),
    ("POST", "/add_member/", "somebody"),
    ("POST", "/remove_member/", "somebody"),
    ("POST", "/make_admin/", "somebody"),
    ("POST", "/remove_admin/", "somebody"),
    ("PUT", "/read/", {"seq": 0}),
    ("POST", "/mark_message_read/", "mark"),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
async def test_an_outsider_gets_the_same_answer_for_a_private_conversation_and_a_random_id(
    web: Web, chat: Chat, cast: Cast, method: str, path: str, body: object
) -> None:
    private = await chat.group(cast)
    message = await chat.send(private, cast.ada)
    bodies = {"somebody": {"user": str(cast.linus)}, "mark": {"data": [{"message": str(message.id)}]}}
    sent = bodies.get(body, body) if isinstance(body, str) else body
    for who in (cast.eve, cast.mallory):
        answers = [await web(method, f"/{where}{path}", who, 404, sent) for where in (private, uuid4())]
        assert answers[0] == answers[1]
    await web(method, f"/{private}{path}", None, 401, sent)
