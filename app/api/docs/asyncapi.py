"""The AsyncAPI document of the socket, generated from the frame types that the server decodes and encodes.

AsyncAPI describes the server's side: client frames are `receive` operations, server frames are `send`. A message's
name is its `type`; the name of an `ack` also contains the type of frame it acknowledges, and that of a client's frame
begins with `client.`. Every schema has a title of its own: generators name the types of a client after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from inspect import cleandoc
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from app.api.docs.examples.frames import EXAMPLES
from app.api.docs.json_schemas import PREFIX, Json, schemas_of

MEDIA_TYPE: Final = "application/vnd.aai.asyncapi+json;version=3.0.0"
JSON: Final = "application/json"
CHANNEL: Final = "socket"
OF_CLIENTS: Final = "client."
"""Prefix of client message names: both sides send `read`, `typing` and `presence`."""

DESCRIPTION: Final = """\
One WebSocket delivers all events of a user. Each text frame holds one JSON object. docs/realtime.md describes how to
open the socket, how positions reveal a gap and `resume` repairs it, and how to react to each close code.
"""

SECURITY: Final[Json] = {
    "access": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The Authorization header of the handshake.",
    },
    "ticket": {
        "type": "httpApiKey",
        "in": "query",
        "name": "ticket",
        "description": "From POST /api/v1/ws-ticket/: valid once, for thirty seconds.",
    },
    "token": {
        "type": "httpApiKey",
        "in": "query",
        "name": "token",
        "description": "The access token, for simple clients; WS_QUERY_TOKEN=false disables it.",
    },
    "subprotocol": {
        "type": "httpApiKey",
        "in": "header",
        "name": "Sec-WebSocket-Protocol",
        "description": "`chat.v1, bearer.<access>`: for browsers.",
    },
}

Frames = Sequence[type[msgspec.Struct]]


class Vocabulary(msgspec.Struct, frozen=True):
    """The frames sent by clients and by the server, the `replies` to each type of client frame, and the reasons that a
    close frame gives by its code."""

    path: str
    client_frames: Frames
    server_frames: Frames
    replies: Mapping[str, Frames]
    close_reasons: Mapping[int, Sequence[str]]


def socket_document(vocabulary: Vocabulary, public_url: str) -> Json:
    """Returns the document for a server at `public_url`."""
    client_frames = {OF_CLIENTS + tag_of(kind): kind for kind in vocabulary.client_frames}
    server_frames = _names(vocabulary)
    url = urlsplit(public_url)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Chat", "version": version("chat-backend"), "description": DESCRIPTION},
        "defaultContentType": JSON,
        "servers": {
            "here": {
                "host": url.netloc,
                "protocol": "wss" if url.scheme == "https" else "ws",
                "security": _references("securitySchemes", SECURITY),
            }
        },
        "channels": {
            CHANNEL: {
                "address": vocabulary.path,
                "title": "The socket",
                "description": "All conversations of one user.",
                "servers": [{"$ref": "#/servers/here"}],
                "messages": {
                    name: {"$ref": f"#/components/messages/{name}"} for name in (*client_frames, *server_frames)
                },
            }
        },
        "operations": {
            **{
                _frame_type(name): _receive_operation(name, kind, vocabulary, server_frames)
                for name, kind in client_frames.items()
            },
            "tell": {
                "action": "send",
                "title": "Frames that the server sends",
                "channel": {"$ref": f"#/channels/{CHANNEL}"},
                "messages": _of_the_channel(server_frames),
            },
        },
        "components": {
            "messages": {name: _message(name, kind) for name, kind in (client_frames | server_frames).items()},
            "schemas": _with_titles(schemas_of([*vocabulary.client_frames, *vocabulary.server_frames])),
            "securitySchemes": SECURITY,
        },
    }


def tag_of(kind: type[msgspec.Struct]) -> str:
    """Returns the value of `type` in these frames."""
    return str(kind.__struct_config__.tag)


def _names(vocabulary: Vocabulary) -> dict[str, type[msgspec.Struct]]:
    """Returns the server's frames by message name."""
    answered = {
        kind: frame_type for frame_type, kinds in vocabulary.replies.items() for kind in kinds if tag_of(kind) == "ack"
    }
    return {f"ack.{answered[kind]}" if kind in answered else tag_of(kind): kind for kind in vocabulary.server_frames}


def _with_titles(schemas: Json) -> Json:
    """Returns the schemas; each schema inside them is titled after the field that it belongs to."""
    for name, schema in schemas.items():
        for field, inside in schema["properties"].items():
            # `read_seq` of Member and `seq` of MemberRead must not become the same name.
            _add_titles(inside, f"{_capitalized(field)}Of{name}")
    return schemas


def _add_titles(schema: Json, title: str) -> None:
    if "$ref" in schema:
        return  # titled where it is defined
    schema["title"] = title
    for one in schema.get("anyOf", ()):
        _add_titles(one, title + _capitalized(one.get("type", "")))
    for keyword, ending in (("items", "Item"), ("additionalProperties", "Value")):
        if isinstance(schema.get(keyword), dict):
            _add_titles(schema[keyword], title + ending)


def _capitalized(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def _frame_type(name: str) -> str:
    return name.removeprefix(OF_CLIENTS)


def _receive_operation(
    name: str, kind: type[msgspec.Struct], vocabulary: Vocabulary, server_frames: Mapping[str, object]
) -> Json:
    kinds = vocabulary.replies[_frame_type(name)]
    return {
        "action": "receive",
        "title": _sentence(kind),
        "channel": {"$ref": f"#/channels/{CHANNEL}"},
        "messages": _of_the_channel([name]),
        "reply": {
            "channel": {"$ref": f"#/channels/{CHANNEL}"},
            "messages": _of_the_channel(other for other, one in server_frames.items() if one in kinds),
        },
    }


def _message(name: str, kind: type[msgspec.Struct]) -> Json:
    message: Json = {
        "name": name,
        "title": kind.__name__,
        "summary": _sentence(kind),
        "contentType": JSON,
        "payload": {"$ref": PREFIX + kind.__name__},
        "examples": [{"payload": msgspec.to_builtins(EXAMPLES[name])}],
    }
    if "ref" in kind.__struct_fields__:
        message["correlationId"] = {"location": "$message.payload#/ref"}
    return message


def _sentence(kind: type[msgspec.Struct]) -> str:
    return cleandoc(kind.__doc__ or "").partition("\n\n")[0].replace("\n", " ")


def _of_the_channel(names: Iterable[str]) -> list[Json]:
    return [{"$ref": f"#/channels/{CHANNEL}/messages/{name}"} for name in names]


def _references(section: str, names: Iterable[str]) -> list[Any]:
    return [{"$ref": f"#/components/{section}/{name}"} for name in names]
