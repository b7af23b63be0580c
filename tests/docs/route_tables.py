"""The tables of docs/routes.md: every route, and the fields of every body and row, from the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from app.api.docs import TAGS, described
from app.api.docs.json_schemas import PREFIX
from app.main import create_app
from app.settings import Settings

Json = dict[str, Any]
VERSION = "/api/v1"

MEANINGS = {
    "ConversationSummary": {
        "id": "the conversation",
        "kind": "a direct conversation always has two members",
        "name": "empty in a direct conversation",
        "is_private": "a private group is found by its members only",
        "creator": "the user who owns the group now; the role passes on when the creator leaves",
        "peer": "the other member of a direct conversation; null in a group",
        "role": "yours; null if you are not a member",
        "unread": "`last_seq` minus `read_seq`",
        "last_seq": "the `seq` of the newest message; 0 if there is none",
        "read_seq": "you have read the messages up to this `seq`; sending a message moves it too",
        "position": "the number of the newest change of the conversation",
        "last_message": "the message `last_seq`; null if there is none, or if you are not a member",
        "updated_at": "the latest message, or change of the conversation itself",
    },
    "ConversationDetail": {
        "created_by": "the user who created it; never changes",
        "created_at": "",
        "members": "the first 50; all by `GET /conversations/{conversation_id}/members`",
        "member_count": "the number of current members",
    },
    "ConversationFacts": {
        "id": "the conversation",
        "kind": "as in the list",
        "name": "as in the list",
        "is_private": "as in the list",
        "created_by": "the user who created it; never changes",
        "creator": "the user who owns the group now",
        "created_at": "",
        "updated_at": "as in the list",
        "deleted_at": "null unless the conversation is deleted",
    },
    "Member": {
        "user": "identifies the membership in its conversation",
        "role": "the member's",
        "joined_at": "the beginning of the present membership, or of the last one",
        "left_at": "null while the user is a member",
        "read_seq": "the member has read the messages up to this `seq`; on joining it is `last_seq`",
        "by": "the user who made the last change; null if it was `user`",
    },
    "Message": {
        "id": "the message",
        "conversation": "its conversation",
        "seq": "its number in the conversation, from 1, without gaps; never changes",
        "position": "the number of its own newest change: of two states the greater one is newer",
        "sent_by": "the sender, under the present name; a former member under the name on leaving",
        "message_type": "a `text` has `text`, the others have `media_url`",
        "text": "empty if deleted, and unless `message_type` is `text`",
        "media_url": "empty if deleted, and if `message_type` is `text`",
        "client_id": "the sender's own name for the message; all members see it",
        "reply_to": "the `seq` (not the `id`) of a message in the same conversation",
        "sent_at": "",
        "updated_at": "its last edit or deletion",
        "deleted_at": "null unless the message is deleted",
    },
    "MessageDetail": {"seen_by": "the sender, and the members who have read it"},
    "MessagePage": {
        "items": "ascending by `seq`",
        "position": "that of the conversation when the page was read, up to two seconds ago",
        "has_more": "whether more follow in the direction of the page; with `around` on either side",
    },
    "ChangePage": {
        "items": "ascending by `position`",
        "position": "the position to continue from",
        "complete": "false if more changes follow",
    },
    "Notification": {
        "id": "the notification",
        "conversation": "its conversation",
        "kind": "`mention` if one of the messages mentions you",
        "from_seq": "you have not read the messages after this one",
        "up_to_seq": "the newest message counted",
        "created_at": "",
        "updated_at": "when `up_to_seq` last grew",
        "is_read": "true once your read mark has reached `up_to_seq`, or once you marked it",
    },
    "SeenBy": {"count": "all of them", "users": "the first 50, the sender first"},
    "InviteRecord": {
        "id": "the invite",
        "state": "`used_up`: it has created `max_uses` accounts",
        "note": "what the people who open the link see; may be empty",
        "for_one_address": "whether it works for one e-mail address only",
        "max_uses": "the accounts that it may create",
        "uses": "the accounts that it has created",
        "created_by": "null for the command line",
        "created_at": "",
        "expires_at": "",
    },
    "NewInvite": {
        "token": "in this answer only",
        "link": "in this answer only; the page that registers with the token",
    },
    "InviteOffer": {"valid_until": "", "note": "what the operator wrote; may be empty"},
    "TokenPair": {
        "access": "a JWT, valid for `exp - iat` seconds",
        "refresh": "a JWT, valid once, for a new pair",
    },
    "LoggedIn": {"access": "as in TokenPair", "refresh": "as in TokenPair", "user": "your own account"},
}
"""By schema: what each field means. The description in a schema comes first."""

EXTENDED = {"ConversationDetail": "ConversationSummary", "MessageDetail": "Message", "NewInvite": "InviteRecord"}
"""Schemas that have all the fields of another one."""

NEXT = "the `cursor` of the next page; null on the last one"


@cache
def document() -> Json:
    postgres, redis = "postgresql://127.0.0.1/unused", "redis://127.0.0.1/0"
    settings = Settings(database_url=postgres, redis_url=redis, cache_redis_url=redis, secret_key="-" * 32)
    return described(create_app(settings))


def routes() -> str:
    """Markdown: a table for each tag."""
    return "\n".join(_lines_of_routes())


def rows() -> str:
    """Markdown: a table of fields for each schema, in alphabetical order."""
    return "\n".join(_lines_of_rows())


def _lines_of_routes() -> Iterator[str]:
    for tag in TAGS:
        yield from (f"### {tag.name}", "", str(tag.description), "")
        yield from ("| route | does | query | body | answer |", "|---|---|---|---|---|")
        for path, method, operation in sorted(_operations(tag.name), key=lambda one: one[:2]):
            yield _route(path, method, operation)
        yield ""


def _operations(tag: str) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            if tag in operation["tags"]:
                yield path, method.upper(), operation


def _route(path: str, method: str, operation: Json) -> str:
    public = " °" if operation.get("security") == [] else ""
    query = [f"`{one['name']}`" for one in operation.get("parameters", ()) if one["in"] != "path"]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    cells = (f"`{method} {path.removeprefix(VERSION) or '/'}`{public}", operation["summary"], " ".join(query))
    return f"| {' | '.join((*cells, _type(body) if body else '', _answers(operation['responses'])))} |"


def _answers(responses: Json) -> str:
    """Returns the statuses of success, each with its schema; `200 · 201` if two have the same."""
    statuses: dict[str, list[str]] = {}
    for status, answer in responses.items():
        if status < "400":
            schema = answer.get("content", {}).get("application/json", {}).get("schema")
            statuses.setdefault(_type(schema) if schema else "", []).append(status)
    return ", ".join(f"{' · '.join(codes)} {kind}".strip() for kind, codes in statuses.items())


def _lines_of_rows() -> Iterator[str]:
    for name, schema in document()["components"]["schemas"].items():
        yield from (f"### {name}", "")
        if "description" in schema:
            yield from (" ".join(schema["description"].split()), "")
        if schema["properties"]:
            yield from ("| field | type | meaning |", "|---|---|---|")
        required = schema.get("required", ())
        for field, described_field in schema["properties"].items():
            optional = "" if field in required else ", optional"
            yield f"| `{field}` | {_type(described_field)}{optional} | {_meaning(name, field, described_field)} |"
        yield ""


def _meaning(name: str, field: str, schema: Json) -> str:
    known = {"next": NEXT, **MEANINGS.get(EXTENDED.get(name, ""), {}), **MEANINGS.get(name, {})}
    return " ".join(str(schema.get("description") or known.get(field, "")).replace("|", "\\|").split())


def _type(schema: Json) -> str:
    """Returns the type in words; a schema of its own is a link to its table."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(PREFIX)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join("null" if one is None else f"`{one}`" for one in schema["enum"])
    match schema.get("type"):
        case "array":
            return f"list of {_type(schema['items'])}" if schema["items"] else "list"
        case "string":
            return {"uuid": "id", "date-time": "time", None: "text"}.get(schema.get("format"), "text")
        case "integer":
            return "number"
        case "boolean":
            return "true or false"
        case list(kinds):
            return " or ".join(_type({**schema, "type": kind}) for kind in kinds)
        case "null" | "object" as kind:
            return str(kind)
        case _:
            return "any"
