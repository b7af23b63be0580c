"""/asyncapi.json and /docs/socket, the page that shows it, rendered here without scripts or other hosts' resources."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler

from app.api.docs.asyncapi import MEDIA_TYPE, OF_CLIENTS, Vocabulary, socket_document
from app.api.docs.json_schemas import PREFIX, Json
from app.api.middleware.authentication import PUBLIC
from app.api.static_files import StaticBody

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def socket_pages(vocabulary: Vocabulary, public_url: str) -> list[HTTPRouteHandler]:
    """Returns both route handlers for this vocabulary."""

    @cache
    def made() -> Json:
        return socket_document(vocabulary, public_url)

    @cache
    def encoded() -> StaticBody:
        return StaticBody(msgspec.json.encode(made()), MEDIA_TYPE)

    @cache
    def shown() -> StaticBody:
        return StaticBody(page_of(made()).encode(), MediaType.HTML, {"Content-Security-Policy": POLICY})

    @get("/asyncapi.json", opt=PUBLIC, include_in_schema=False)
    async def asyncapi(request: Request[Any, Any, Any]) -> Response[bytes]:
        return await encoded().response(request)

    @get("/docs/socket", opt=PUBLIC, include_in_schema=False)
    async def page(request: Request[Any, Any, Any]) -> Response[bytes]:
        return await shown().response(request)

    return [asyncapi, page]


def page_of(document: Json) -> str:
    """Renders the document as an HTML page."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    messages = document["components"]["messages"]
    from_client = [_shown(name, one, document) for name, one in messages.items() if name.startswith(OF_CLIENTS)]
    from_server = [_shown(name, one, document) for name, one in messages.items() if not name.startswith(OF_CLIENTS)]
    used = sorted({kind for one in (*from_client, *from_server) for field in one["fields"] for kind in field["kinds"]})
    schemas = document["components"]["schemas"]
    inside = _with_their_own(used, schemas)
    return environment.get_template("socket.html.jinja").render(
        document=document,
        from_client=from_client,
        from_server=from_server,
        rows=[{"name": name, "about": _about(schemas[name]), "fields": _fields(schemas[name])} for name in inside],
    )


def _shown(name: str, message: Json, document: Json) -> Json:
    schema = document["components"]["schemas"][message["payload"]["$ref"].removeprefix(PREFIX)]
    operation = document["operations"][name.removeprefix(OF_CLIENTS)] if name.startswith(OF_CLIENTS) else None
    example = msgspec.json.format(msgspec.json.encode(message["examples"][0]["payload"]), indent=2).decode()
    replies = operation["reply"]["messages"] if operation else []
    return {
        "name": name,
        "type": schema["properties"]["type"]["enum"][0],
        "about": _about(schema),
        "fields": _fields(schema),
        "replies": [one["$ref"].rpartition("/")[2] for one in replies],
        "example": example,
    }


def _about(schema: Json) -> str:
    return str(schema.get("description", ""))


def _fields(schema: Json) -> list[Json]:
    needed = schema.get("required", ())
    return [
        {"name": name, "needed": name in needed, "means": " or ".join(_means(field)), "kinds": _kinds(field)}
        for name, field in schema["properties"].items()
        if name != "type"
    ]


def _means(field: Json) -> list[str]:
    """Describes a field's allowed values in words."""
    if "anyOf" in field:
        return [word for one in field["anyOf"] for word in _means(one)]
    if "$ref" in field:
        return [field["$ref"].removeprefix(PREFIX)]
    if "enum" in field:
        return [str(value) for value in field["enum"]]
    if field.get("type") == "array":
        return [f"list of {' or '.join(_means(field['items']))}"]
    if field.get("type") == "object":
        return [f"object of {' or '.join(_means(field.get('additionalProperties', {})))}"]
    bounds = [f"{word} {field[key]}" for key, word in _BOUNDS.items() if key in field]
    return [" ".join([str(field.get("format") or field.get("type", "anything")), *bounds])]


_BOUNDS = {"minLength": "from", "maxLength": "up to", "minimum": "from"}


def _kinds(field: Any) -> list[str]:
    """Returns the names of the schemas that a field refers to."""
    if isinstance(field, dict):
        found = [field["$ref"].removeprefix(PREFIX)] if "$ref" in field else []
        return found + [kind for value in field.values() for kind in _kinds(value)]
    return [kind for value in field for kind in _kinds(value)] if isinstance(field, list) else []


def _with_their_own(kinds: list[str], schemas: Json) -> list[str]:
    """Returns `kinds` and all schemas they refer to, sorted."""
    found, waiting = set[str](), list(kinds)
    while waiting:
        kind = waiting.pop()
        if kind not in found:
            found.add(kind)
            waiting += _kinds(schemas[kind])
    return sorted(found)
