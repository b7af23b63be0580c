"""Bad input gets a clear problem that names what is wrong, and nothing of it is stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import psycopg
import pytest

from app.domain.orm import uuid7
from tests.support.client import API, PASSWORD, Answer, Person
from tests.system.conftest import Pair

MESSAGES = "/conversations/{conversation}/messages/"
TABLES = ("users", "conversations", "memberships", "messages")
DEEP = 2_000
TWO_MEGABYTES = 2 * 1024 * 1024
HUGE = 10**30


class Case(msgspec.Struct, frozen=True):
    """`body` is sent as it is when bytes, else as JSON."""

    method: str
    path: str
    body: Any
    status: int
    code: str
    fields: frozenset[str] = frozenset()
    headers: dict[str, str] = {}


def text(body: Any, code: str, *fields: str, status: int = 400, headers: dict[str, str] | None = None) -> Case:
    return Case("POST", MESSAGES, body, status, code, frozenset(fields), headers or {})


def said(**fields: Any) -> dict[str, Any]:
    return {"message_type": "text", "text": "hello", **fields}


def pictured(url: Any, **fields: Any) -> dict[str, Any]:
    return {"message_type": "image", "media_url": url, **fields}


def query(path: str, *fields: str, code: str = "invalid") -> Case:
    return Case("GET", path, None, 400, code, frozenset(fields))


LOGIN = {"email": "ada@example.org", "password": PASSWORD}
ACCOUNT = {**LOGIN, "first_name": "Ada", "last_name": "Tester"}
NOWHERE = str(uuid7())

CASES = {
    # What a message may be
    "unknown field": text(said(colour="red"), "invalid", "colour"),
    "privileged field seq": text(said(seq=1), "invalid", "seq"),
    "privileged field sent_by": text(said(sent_by=NOWHERE), "invalid", "sent_by"),
    "wrong type": text(said(text=7), "invalid", "text"),
    "unknown message type": text(said(message_type="gif"), "invalid", "message_type"),
    "no message type": text({"text": "hello"}, "invalid", "message_type"),
    "no text": text({"message_type": "text"}, "invalid_message", "text"),
    "empty text": text(said(text=""), "invalid_message", "text"),
    "blank text": text(said(text=" \t\n\u2003"), "invalid_message", "text"),
    "8,001 characters": text(said(text="x" * 8_001), "invalid", "text"),
    "8,001 characters of four bytes": text(said(text="\U0001f600" * 8_001), "invalid", "text"),
    "NUL": text(said(text="a\0b"), "invalid", "text"),
    "lone surrogate": text(b'{"message_type":"text","text":"a\\ud800b"}', "malformed"),
    "text with media_url": text(said(media_url="https://x.example.org/y.png"), "invalid_message", "media_url"),
    "image without media_url": text({"message_type": "image"}, "invalid_message", "media_url"),
    "image with text": text(pictured("https://x.example.org/y.png", text="look"), "invalid_message", "text"),
    "http address": text(pictured("http://x.example.org/y.png"), "invalid_message", "media_url"),
    "javascript address": text(pictured("javascript:alert(1)"), "invalid_message", "media_url"),
    "address with a password": text(pictured("https://ada:secret@x.example.org/y"), "invalid_message", "media_url"),
    "address without a host": text(pictured("https:///y.png"), "invalid_message", "media_url"),
    "address too long": text(pictured("https://x.example.org/" + "y" * 2_048), "invalid", "media_url"),
    "address with NUL": text(pictured("https://x.example.org/\0"), "invalid", "media_url"),
    "client_id too long": text(said(client_id="x" * 65), "invalid", "client_id"),
    "client_id empty": text(said(client_id=""), "invalid", "client_id"),
    "client_id with NUL": text(said(client_id="a\0"), "invalid", "client_id"),
    "client_id a number": text(said(client_id=7), "invalid", "client_id"),
    "two different keys": text(said(client_id="a"), "invalid_message", "client_id", headers={"Idempotency-Key": "b"}),
    "a number said as a text": text(said(reply_to="1"), "invalid", "reply_to"),
    "reply to nothing": text(said(reply_to=99), "invalid_message", "reply_to"),
    "reply to zero": text(said(reply_to=0), "invalid_message", "reply_to"),
    "reply to a huge number": text(said(reply_to=2**63), "invalid_message", "reply_to"),
    "reply beyond all integers": text(said(reply_to=float(HUGE)), "invalid", "reply_to"),
    # What a body may be
    "invalid JSON": text(b'{"message_type":"text",', "malformed"),
    "not UTF-8": text(b'{"message_type":"text","text":"\xff"}', "malformed"),
    "empty body": text(b"", "invalid"),
    "null body": text(b"null", "invalid"),
    "array body": text([], "invalid"),
    "string body": text(b'"hello"', "invalid"),
    "2,000-deep JSON": text(
        b'{"message_type":"text","text":"x","reply_to":' + b"[" * DEEP + b"]" * DEEP + b"}", "invalid", "reply_to"
    ),
    "2,000-deep body": text(b"[" * DEEP + b"]" * DEEP, "invalid"),
    "2,000-deep unknown field": text(b'{"colour":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}", "invalid", "colour"),
    "2 MB body": text(said(text="x" * TWO_MEGABYTES), "too_large", status=413),
    "2 MB of blanks": text(b" " * TWO_MEGABYTES, "too_large", status=413),
    "another content type": text(
        b"message_type=text", "unsupported_media_type", status=415, headers={"Content-Type": "text/plain"}
    ),
    "a form": text(
        b"text=hello",
        "unsupported_media_type",
        status=415,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ),
    # Where it may go
    "unknown conversation": Case("POST", f"/conversations/{NOWHERE}/messages/", said(), 404, "not_found"),
    "no id": Case("POST", "/conversations/engines/messages/", said(), 404, "not_found"),
    "half an id": Case("POST", f"/conversations/{NOWHERE[:-4]}/messages/", said(), 404, "not_found"),
    "an unknown path": Case("POST", "/nowhere/", {}, 404, "not_found"),
    "another method": Case("PUT", MESSAGES, said(), 405, "method_not_allowed"),
    "someone else's message edited": Case("PATCH", MESSAGES + "{message}/", {"text": "x"}, 403, "not_the_sender"),
    "someone else's message deleted": Case("DELETE", MESSAGES + "{message}/", None, 403, "not_the_sender"),
    "an unknown message": Case("PATCH", MESSAGES + f"{NOWHERE}/", {"text": "x"}, 404, "not_found"),
    # What a page may be
    "limit 0": query("/conversations/?limit=0", "limit"),
    "limit 101": query("/conversations/?limit=101", "limit"),
    "limit of words": query("/conversations/?limit=many", "limit"),
    "limit huge": query(f"/conversations/?limit={HUGE}", "limit"),
    "members limit 0": query("/conversations/{conversation}/members/?limit=0", "limit"),
    "changes limit 101": query("/conversations/{conversation}/changes/?limit=101", "limit"),
    "sessions limit 0": query("/sessions/?limit=0", "limit"),
    "people limit 101": query("/users/?limit=101", "limit"),
    "messages limit 0": query(MESSAGES + "?limit=0", "limit", code="invalid_limit"),
    "messages limit 501": query(MESSAGES + "?limit=501", "limit", code="invalid_limit"),
    "bad cursor": query("/conversations/?cursor=nonsense", "cursor", code="invalid_cursor"),
    "another list's cursor": query("/users/?search=ada&cursor=eyJ0eXBlIjoibG9naW4ifQ", "cursor", code="invalid_cursor"),
    "cursor too long": query("/sessions/?cursor=" + "A" * 600, "cursor", code="invalid_cursor"),
    "changes after a negative": query("/conversations/{conversation}/changes/?after=-1", "after"),
    "changes after a huge": query(f"/conversations/{{conversation}}/changes/?after={HUGE}", "after"),
    "before a word": query(MESSAGES + "?before=yesterday", "before"),
    "two directions": query(MESSAGES + "?before=1&after=1", code="invalid_page"),
    "search of one letter": query("/users/?search=a", "search"),
    "search with NUL": query("/users/?search=a%00b", "search"),
    "my search with NUL": query("/conversations/?search=a%00b", "search"),
    # Everything else that takes a body
    "read of the future": Case("PUT", "/conversations/{conversation}/read/", {"seq": 99}, 400, "invalid_seq"),
    "read of a huge": Case("PUT", "/conversations/{conversation}/read/", {"seq": 2**63}, 400, "invalid_seq"),
    "read of a word": Case(
        "PUT", "/conversations/{conversation}/read/", {"seq": "one"}, 400, "invalid", frozenset({"seq"})
    ),
    "read of a number said as a text": Case(
        "PUT", "/conversations/{conversation}/read/", {"seq": "1"}, 400, "invalid", frozenset({"seq"})
    ),
    "a truth said as a text": Case(
        "POST", "/conversations/", {"name": "x", "is_private": "true"}, 400, "invalid", frozenset({"is_private"})
    ),
    "a truth said as a number": Case(
        "POST", "/conversations/", {"name": "x", "is_private": 1}, 400, "invalid", frozenset({"is_private"})
    ),
    "marks that are none": Case(
        "POST", "/conversations/{conversation}/mark_message_read/", {"data": 7}, 400, "invalid", frozenset({"data"})
    ),
    "marks without a message": Case(
        "POST",
        "/conversations/{conversation}/mark_message_read/",
        {"data": [{}]},
        400,
        "invalid",
        frozenset({"data.0.message"}),
    ),
    "read backwards": Case("PUT", "/conversations/{conversation}/read/", {"seq": -1}, 400, "invalid_seq"),
    "marks of nothing": Case("POST", "/conversations/{conversation}/mark_message_read/", {"data": []}, 400, "invalid"),
    "conversation without a name": Case("POST", "/conversations/", {}, 400, "invalid", frozenset({"name"})),
    "conversation with a blank name": Case(
        "POST", "/conversations/", {"name": "  "}, 400, "invalid", frozenset({"name"})
    ),
    "conversation with 101 characters": Case(
        "POST", "/conversations/", {"name": "x" * 101}, 400, "invalid", frozenset({"name"})
    ),
    "conversation with NUL": Case("POST", "/conversations/", {"name": "a\0"}, 400, "invalid", frozenset({"name"})),
    "direct with nobody": Case("POST", "/conversations/", {"kind": "direct"}, 400, "invalid", frozenset({"user"})),
    "direct with a stranger": Case(
        "POST", "/conversations/", {"kind": "direct", "user": NOWHERE}, 400, "unknown_user", frozenset({"user"})
    ),
    "direct with a word": Case(
        "POST", "/conversations/", {"kind": "direct", "user": "ada"}, 400, "invalid", frozenset({"user"})
    ),
    "an account with another field": Case(
        "POST", "/users/", {**ACCOUNT, "is_operator": True}, 400, "invalid", frozenset({"is_operator"})
    ),
    "an account with a short password": Case(
        "POST", "/users/", {**ACCOUNT, "password": "1234567"}, 400, "invalid", frozenset({"password"})
    ),
    "an account with no address": Case(
        "POST", "/users/", {**ACCOUNT, "email": "ada"}, 400, "invalid", frozenset({"email"})
    ),
    "a login with NUL": Case(
        "POST", "/login/", {**LOGIN, "email": "a\0@b.example"}, 400, "invalid", frozenset({"email"})
    ),
    "a token too long": Case("POST", "/refresh/", {"refresh": "x" * 3_000}, 400, "invalid", frozenset({"refresh"})),
    "a token of two bytes": Case("POST", "/verify/", {"token": "\u0101\u0101"}, 401, "invalid_token"),
}


@pytest.fixture
async def linus(pair: Pair) -> tuple[Person, dict[str, str]]:
    """A member, and the ids of a conversation with one message that is not his."""
    ada, linus = [await pair.one.register(name) for name in ("Ada", "Linus")]
    conversation = await ada.converse(linus)
    message = (await ada.say(conversation, "hello")).good(201)
    return linus, {"conversation": conversation, "message": message["id"]}


class Store:
    """How many rows there are, and where the logs and cursors stand: read past everything of ours."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    def state(self) -> list[tuple[Any, ...]]:
        tallies = [f"SELECT count(*), 0 FROM {table}" for table in TABLES]
        tallies += ["SELECT coalesce(sum(position), 0), coalesce(sum(last_seq), 0) FROM conversations"]
        tallies += ["SELECT coalesce(sum(read_seq), 0), 0 FROM memberships"]
        return self._connection.execute(" UNION ALL ".join(tallies).encode()).fetchall()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with psycopg.connect(database_url, connect_timeout=3, autocommit=True) as connection:
        yield Store(connection)


async def send(person: Person, case: Case, ids: dict[str, str]) -> Answer:
    path = case.path
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    content = case.body if isinstance(case.body, bytes | None) else msgspec.json.encode(case.body)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {person.access}", **case.headers}
    return await person.node.request(case.method, API + path, headers=headers, content=content)


async def test_bad_input_is_named_and_not_stored(linus: tuple[Person, dict[str, str]], store: Store) -> None:
    before = store.state()
    wrong = []
    for name, case in CASES.items():
        answer = await send(*linus[:1], case, linus[1])
        if answer.status < 400:
            wrong.append(f"{name}: {answer.status} {answer.content[:100]!r}")
            continue
        problem = answer.problem
        got = (problem.status, problem.code, problem.fields)
        if got[:2] != (case.status, case.code) or not case.fields <= problem.fields:
            wrong.append(f"{name}: {got} {problem.detail}, not {case.status, case.code, set(case.fields)}")
        if (now := store.state()) != before:
            wrong.append(f"{name}: was stored")
            before = now
    assert not wrong, "\n".join(wrong)


async def test_good_input_beside_it_is_stored(linus: tuple[Person, dict[str, str]], store: Store) -> None:
    for body in (
        said(text="x" * 8_000),
        said(text="\U0001f600" * 8_000),
        said(text=" a "),
        said(reply_to=1),
        said(client_id="x" * 64),
        pictured("https://x.example.org/" + "y" * 2_000),
        said(media_url=None),
    ):
        before = store.state()
        case = text(body, "")
        (await send(linus[0], case, linus[1])).good(201)
        assert store.state() != before
