"""The OpenAPI document and the page that shows it; nothing is loaded from other hosts.

Swagger UI 5.35.0 (Apache-2.0) is vendored under assets/, with its licence.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from litestar import Controller, Litestar, MediaType, Request, Response, get
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, License, SecurityScheme, Tag

from app.api.docs.asyncapi import Vocabulary
from app.api.docs.openapi import described
from app.api.docs.socket_page import socket_pages
from app.api.middleware.authentication import PUBLIC
from app.api.middleware.invalid_paths import DOCUMENTS
from app.api.static_files import StaticBody, static_files

__all__ = ["Vocabulary", "assets", "described", "openapi_config", "socket_pages"]

HERE = Path(__file__).parent
# Swagger UI sets inline styles and uses `data:` icons; scripts come only from this host.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
PAGE = StaticBody((HERE / "docs.html").read_bytes(), MediaType.HTML, {"Content-Security-Policy": PAGE_POLICY})

TAGS = [
    Tag(name="About", description="The name and version of this server."),
    Tag(
        name="Accounts", description="Registration, your profile, password and e-mail address, and closing the account."
    ),
    Tag(name="By mail", description="Activation, password reset and address confirmation, with tokens from mails."),
    Tag(name="Logins", description="Logging in and out, tokens, login sessions, socket tickets."),
    Tag(name="Second factor", description="Codes from an authenticator app (TOTP) at login, and recovery codes."),
    Tag(name="People", description="Finding other users."),
    Tag(name="Conversations", description="Groups and direct conversations, discovery."),
    Tag(name="Members", description="Joining, adding, removing, leaving, roles."),
    Tag(name="Reading", description="Read cursors, and what changed since a position."),
    Tag(name="Messages", description="The log: send, page, open, edit, delete."),
    Tag(
        name="Notifications",
        description="Unread messages, notification preferences, and the decisions behind each notification.",
    ),
    Tag(name="Operators", description="Endpoints for operators. Other callers receive 404."),
    Tag(name="Health", description="Probes and metrics for monitoring."),
]

DESCRIPTION = """\
Conversations are logs. `seq` numbers the messages of one, `position` counts its changes; ids are UUIDv7, times RFC 3339
in UTC. A trailing slash is optional everywhere.

**Errors** are `application/problem+json` (RFC 9457) with a stable `code`; a bad body also gets `errors`, which name the
fields, all at once. Unknown fields of a body are refused; unknown query parameters are ignored, because proxies and
monitors add some. **Lists** are `{"items": […], "next": cursor or null}`. **Throttled** requests get 429 with
`Retry-After`, `RateLimit` and `RateLimit-Policy`. Any path answers 414 `url_too_long` to a URL of more than 8,192 bytes
and 431 `head_too_large` to more than 100 headers or 32,768 bytes of them. Every answer carries `X-Request-ID`, the
client's own if it sent one.

**Live events** come over the socket `/ws/conversations`, which [has a page of its own](/docs/socket). The
[guide](/guide/) explains both, with a tutorial, an API guide and all [error codes](/guide/errors.html).
"""


def openapi_config() -> OpenAPIConfig:
    """Returns the configuration of /openapi.json."""
    return OpenAPIConfig(
        title="Chat",
        version=version("chat-backend"),
        summary="A chat backend: conversations as logs, over REST and WebSocket.",
        description=DESCRIPTION,
        license=License(name="MIT", identifier="MIT"),
        # Litestar's own routes answer unknown paths below theirs with HTML; `invalid_paths` closes them.
        path=DOCUMENTS,
        render_plugins=[JsonRenderPlugin()],
        components=Components(
            security_schemes={
                "access": SecurityScheme(
                    type="http", scheme="bearer", bearer_format="JWT", description="The access token of a login."
                )
            }
        ),
        security=[{"access": []}],
        tags=TAGS,
    )


class DocumentsController(Controller):
    """The OpenAPI document and the page that shows it."""

    path = "/"
    opt = PUBLIC
    include_in_schema = False

    @get("/openapi.json")
    async def document(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        return await _document(request.app).response(request)

    @get("/docs")
    async def page(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        return await PAGE.response(request)


@cache
def _document(app: Litestar) -> StaticBody:
    return StaticBody(msgspec.json.encode(described(app)), "application/vnd.oai.openapi+json")


assets = static_files("/docs/assets", HERE / "assets")
