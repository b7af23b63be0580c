"""The document at /asyncapi.json is AsyncAPI 3.0, and the frames of a running chat match it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from app.api.docs.asyncapi import socket_document
from app.api.docs.examples.frames import EXAMPLES
from app.api.docs.json_schemas import subschemas
from app.main import SOCKET
from app.realtime.frames import frame_catalogue
from app.realtime.frames.client_frames import Malformed, parse_frame
from tests.api.docs.test_openapi import references
from tests.support.client import Node, Socket, eventually
from tests.support.processes import Api
from tests.support.published import Json
from tests.system.test_golden import GOLDEN

FIELDS = {
    "": ({"asyncapi", "info"}, {"servers", "channels", "operations", "components", "defaultContentType", "id"}),
    "info": ({"title", "version"}, {"description", "termsOfService", "contact", "license", "tags"}),
    "server": ({"host", "protocol"}, {"security", "description", "pathname", "title", "bindings"}),
    "channel": (set(), {"address", "messages", "title", "summary", "description", "servers", "bindings"}),
    "operation": ({"action", "channel"}, {"messages", "reply", "title", "summary", "description"}),
    "reply": (set(), {"address", "channel", "messages"}),
    "message": (
        set(),
        {"name", "title", "summary", "contentType", "payload", "examples", "correlationId", "description"},
    ),
    "components": (set(), {"schemas", "messages", "securitySchemes"}),
}
"""Of the objects of AsyncAPI 3.0 that we use: (the fields there must be, those there may be beside)."""


@pytest.fixture(scope="module")
def asyncapi() -> Json:
    document: Json = msgspec.json.decode(msgspec.json.encode(socket_document(SOCKET, "https://chat.example.org")))
    return document


def check(kind: str, received: Json) -> None:
    needed, allowed = FIELDS[kind]
    assert needed <= set(received) <= needed | allowed, (kind, set(received))


def find(document: Json, reference: str) -> Any:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def validator(document: Json, name: str) -> Draft202012Validator:
    """Of a message, strictly: a field that is not described is wrong."""
    schemas = {
        kind: {"additionalProperties": False, **schema} if "properties" in schema else schema
        for kind, schema in document["components"]["schemas"].items()
    }
    payload = document["components"]["messages"][name]["payload"]
    return Draft202012Validator({"components": {"schemas": schemas}, **payload}, format_checker=FormatChecker())


def validate(document: Json, frame: Json, *, said: bool = False) -> str:
    """The name of the message this frame is. Fails when it is none, or two."""
    kinds = document["components"]["messages"]
    names = [f"client.{frame['type']}"] if said else [name for name in kinds if name.split(".")[0] != "client"]
    fitting = [name for name in names if name in kinds and validator(document, name).is_valid(frame)]
    assert len(fitting) == 1, (fitting, frame)
    return fitting[0]


def golden() -> Iterator[tuple[str, Json]]:
    for file in sorted(GOLDEN.glob("frame.*.json")):
        text = re.sub(r'"<(?!access|ticket)[^"]*>', f'"{uuid4()}', file.read_text(encoding="utf-8"))
        yield file.name.removeprefix("frame.").removesuffix(".json"), msgspec.json.decode(text)


def test_the_document_is_valid_asyncapi_3(asyncapi: Json) -> None:
    assert asyncapi["asyncapi"] == "3.0.0"
    for kind in ("", "info", "components"):
        check(kind, asyncapi[kind] if kind else asyncapi)
    for plural in ("server", "channel", "operation"):
        for name, received in asyncapi[f"{plural}s"].items():
            assert re.fullmatch(r"[\w.-]+", name)
            check(plural, received)
    channel = asyncapi["channels"]["socket"]
    mine = {f"#/channels/socket/messages/{name}" for name in channel["messages"]}
    for operation in asyncapi["operations"].values():
        assert operation["action"] in ("send", "receive")
        check("reply", operation.get("reply", {}))
        received = [*operation["messages"], *operation.get("reply", {}).get("messages", ())]
        assert {one["$ref"] for one in received} <= mine, "an operation's messages are those of its channel"
    for message in asyncapi["components"]["messages"].values():
        check("message", message)
        assert set(message["examples"][0]) <= {"payload", "headers", "name", "summary"}
    for scheme in asyncapi["components"]["securitySchemes"].values():
        assert scheme["type"] != "httpApiKey" or {"name", "in"} <= set(scheme)


def test_every_reference_resolves_and_every_component_is_used(asyncapi: Json) -> None:
    received = set(references(asyncapi))
    for reference in received:
        find(asyncapi, reference)
    for section in ("messages", "schemas", "securitySchemes"):
        for name in asyncapi["components"][section]:
            assert f"#/components/{section}/{name}" in received
    for schema in asyncapi["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    heard = {one["$ref"].rpartition("/")[2] for one in asyncapi["operations"]["tell"]["messages"]}
    assert heard == {name for name in asyncapi["channels"]["socket"]["messages"] if "client." not in name}


def test_every_schema_has_a_title_of_its_own(asyncapi: Json) -> None:
    """Generators call a schema without one `AnonymousSchema_17`."""
    schemas = asyncapi["components"]["schemas"]
    inside = [one for schema in schemas.values() for one in subschemas(schema) if "$ref" not in one]
    titles = [str(one.get("title", "")) for one in inside]
    assert len(titles) > 3 * len(schemas)
    assert [title for title, count in Counter(titles).items() if count > 1] == []
    assert [title for title in titles if not re.fullmatch(r"[A-Z][A-Za-z]+", title)] == []
    assert schemas["Hello"]["properties"]["conversations"]["title"] == "ConversationsOfHello"
    assert {"ReplyToOfMessageInteger", "ReplyToOfMessageNull"} < set(titles)


def test_every_message_and_channel_has_a_name_of_its_own(asyncapi: Json) -> None:
    messages = asyncapi["components"]["messages"]
    assert [name for name, one in messages.items() if one["name"] != name] == []
    titles = [one["title"] for one in messages.values()]
    assert len(set(titles)) == len(titles)
    assert set(asyncapi["channels"]) & set(messages) == set()


def test_every_frame_is_documented_with_a_valid_example(asyncapi: Json) -> None:
    messages = asyncapi["components"]["messages"]
    assert set(messages) == set(EXAMPLES)
    assert len(messages) == len(SOCKET.client_frames) + len(frame_catalogue.PUSHED)
    for name, message in messages.items():
        frame = message["examples"][0]["payload"]
        assert validate(asyncapi, frame, said=name.startswith("client.")) == name
        assert message["summary"].endswith((".", "?")), name


def test_golden_frames_and_documented_frames_are_the_same(asyncapi: Json) -> None:
    found = {name: validate(asyncapi, frame) for name, frame in golden()}
    assert {name: kind for name, kind in found.items() if name != kind} == {"ack": "ack.send"}
    assert set(found.values()) == {name for name in asyncapi["components"]["messages"] if "client." not in name}


async def test_frames_of_a_running_chat_match_the_document(api: Api, asyncapi: Json) -> None:
    node = Node(api.url)
    ada, grace = [await node.register(name) for name in ("Ada", "Grace")]
    room = await ada.converse(grace)
    said: list[Json] = [
        {"type": "send", "conversation": room, "message_type": "text", "text": "one", "client_id": "first"},
        {"type": "send", "conversation": room, "message_type": "image", "media_url": "https://example.org/moth.jpg"},
        {"type": "read", "conversation": room, "seq": 1},
        {"type": "read", "conversation": room, "seq": 99},
        {"type": "typing", "conversation": room},
        {"type": "presence", "conversation": room},
        {"type": "resume", "conversations": {room: 1}},
        {"type": "resume", "conversations": {room: 999, str(uuid4()): 0}},
        {"type": "auth", "token": ada.access},
        {"type": "auth", "token": "none"},
        {"type": "ping"},
    ]
    async with Socket.opened(node, ada.access) as hers, grace.listening() as his:
        for ref, frame in enumerate(said, start=1):
            assert validate(asyncapi, {**frame, "ref": ref}, said=True) == f"client.{frame['type']}"
            await hers.say(**{**frame, "ref": ref})
        answered = {ref for ref, frame in enumerate(said, start=1) if frame["type"] != "typing"}
        await eventually(lambda: answered <= {one.get("ref") for one in hers.frames})
        await hers.expect("caught_up", ref=8)
        (await grace.call("PUT", f"/conversations/{room}/read/", {"seq": 2})).good(200)
        await hers.expect("read", user=grace.id)
        await ada.post(f"/conversations/{room}/remove_member/", user=grace.id)
        await his.expect("access.revoked")
        await hers.expect("member.removed")
        for ref, frame in enumerate(said, start=1):
            replies = [validate(asyncapi, one) for one in hers.frames if one.get("ref") == ref]
            received = asyncapi["operations"][frame["type"]]["reply"]["messages"]
            assert set(replies) <= {one["$ref"].rpartition("/")[2] for one in received}
        kinds = {validate(asyncapi, frame) for frame in [*hers.frames, *his.frames]}
    await node.close()
    assert {"hello", "message.created", "read", "typing", "reset", "caught_up", "pong", "error", "ack.auth"} <= kinds


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "ping", "extra": 1},
        {"type": "ping", "ref": "x" * 65},
        {"type": "read", "conversation": "0199a7b0-7000-7000-8000-000000000001", "seq": -1},
        {"type": "send", "conversation": "0199a7b0-7000-7000-8000-000000000001", "message_type": "smoke"},
        {"type": "auth"},
    ],
)
def test_frames_that_the_server_rejects_are_invalid_in_the_document(asyncapi: Json, frame: Json) -> None:
    with pytest.raises(ValidationError):
        validator(asyncapi, f"client.{frame['type']}").validate(frame)
    with pytest.raises(Malformed):
        parse_frame(msgspec.json.encode(frame).decode())


def test_the_asyncapi_document_is_served_unchanged_and_linked(api: Api) -> None:
    served = httpx.get(f"{api.url}/asyncapi.json", timeout=10, trust_env=False)
    assert served.headers["content-type"] == "application/vnd.aai.asyncapi+json;version=3.0.0"
    made = socket_document(SOCKET, api.url)
    assert served.json() == msgspec.json.decode(msgspec.json.encode(made))
    assert served.json()["servers"]["here"]["host"] == f"127.0.0.1:{api.port}"
    links = httpx.get(f"{api.url}/api/v1/", timeout=10, trust_env=False).json()["links"]
    for path in (links["asyncapi"], links["socket_documents"]):
        assert httpx.get(f"{api.url}{path}", timeout=10, trust_env=False).status_code == 200
