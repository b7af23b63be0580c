"""/asyncapi.json and /docs/socket, the page that shows it, rendered here without scripts or other hosts' resources.

AsyncAPI's own React component would need scripts and a vendored bundle, for what tables show without any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from app.api.docs.asyncapi import MEDIA_TYPE, OF_CLIENTS, Vocabulary, socket_document
from app.api.docs.json_schemas import PREFIX, Json
from app.api.middleware.authentication import PUBLIC
from app.api.static_files import StaticBody

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


# Descriptions are ours; HTML in them would be a mistake, so it is shown as text.
_markdown = MarkdownIt("commonmark", {"html": False})


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
        return StaticBody(
            page_of(made(), vocabulary.close_reasons).encode(), MediaType.HTML, {"Content-Security-Policy": POLICY}
        )

    @get("/asyncapi.json", opt=PUBLIC, include_in_schema=False)
    async def asyncapi(request: Request[Any, Any, Any]) -> Response[bytes]:
        return await encoded().response(request)

    @get("/docs/socket", opt=PUBLIC, include_in_schema=False)
    async def page(request: Request[Any, Any, Any]) -> Response[bytes]:
        return await shown().response(request)

    return [asyncapi, page]


def page_of(document: Json, close_reasons: Mapping[int, Sequence[str]]) -> str:
    """Renders the document as an HTML page."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    schemas = document["components"]["schemas"]
    messages = document["components"]["messages"]
    from_client = [_shown(name, one, document) for name, one in messages.items() if name.startswith(OF_CLIENTS)]
    from_server = [_shown(name, one, document) for name, one in messages.items() if not name.startswith(OF_CLIENTS)]
    used = sorted({kind for one in (*from_client, *from_server) for kind in one["kinds"]})
    return environment.get_template("socket.html.jinja").render(
        document=document,
        about=_rendered(document["info"]["description"]),
        from_client=from_client,
        from_server=from_server,
        closings=close_reasons,
        rows={name: _described(schemas[name]) for name in _with_their_own(used, schemas)},
    )


def _shown(name: str, message: Json, document: Json) -> Json:
    schema = document["components"]["schemas"][message["payload"]["$ref"].removeprefix(PREFIX)]
    operation = document["operations"][name.removeprefix(OF_CLIENTS)] if name.startswith(OF_CLIENTS) else None
    example = msgspec.json.format(msgspec.json.encode(message["examples"][0]["payload"]), indent=2).decode()
    replies = operation["reply"]["messages"] if operation else []
    summary, _, about = schema.get("description", "").partition("\n\n")
    return {
        **_described(schema),
        "name": name,
        "type": schema["properties"]["type"]["enum"][0],
        "summary": _inline(summary),
        "about": _rendered(about),
        "replies": [one["$ref"].rpartition("/")[2] for one in replies],
        "example": example,
    }


def _described(schema: Json) -> Json:
    """Returns a schema's description, its fields, and the names of the schemas that its fields refer to."""
    needed = schema.get("required", ())
    fields = [
        {
            "name": name,
            "needed": name in needed,
            "means": Markup(" or ").join(_means(field)),
            "about": _inline(field.get("description", "")),
        }
        for name, field in schema["properties"].items()
        if name != "type"
    ]
    kinds = list(dict.fromkeys(_kinds(list(schema["properties"].values()))))
    return {"about": _rendered(schema.get("description", "")), "fields": fields, "kinds": kinds}


def _rendered(markdown: str) -> Markup:
    return Markup(_markdown.render(markdown))  # noqa: S704 - markdown-it escapes HTML


def _inline(markdown: str) -> Markup:
    return Markup(_markdown.renderInline(markdown))  # noqa: S704 - as above


def _means(field: Json) -> list[Markup]:
    """Describes a field's allowed values; the name of a schema is a link to it."""
    if "anyOf" in field:
        return [word for one in field["anyOf"] for word in _means(one)]
    if "$ref" in field:
        name = field["$ref"].removeprefix(PREFIX)
        return [Markup('<a href="#{0}"><code>{0}</code></a>').format(name)]
    if "enum" in field:
        return [Markup("<code>{}</code>").format(str(value)) for value in field["enum"]]
    if field.get("type") in _CONTAINERS:
        keyword, text = _CONTAINERS[field["type"]]
        return [Markup("{} of {}").format(text, Markup(" or ").join(_means(field.get(keyword, {}))))]
    bounds = [f"{word} {field[key]:,}" for key, word in _BOUNDS.items() if key in field]
    return [escape(" ".join([str(field.get("format") or field.get("type", "anything")), *bounds]))]


_CONTAINERS = {"array": ("items", "list"), "object": ("additionalProperties", "object")}
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
