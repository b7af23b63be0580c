"""The front page of the API."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

import msgspec
from litestar import Controller, get
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from app.api.errors.problems import documented
from app.api.middleware.authentication import PUBLIC


class FrontPage(msgspec.Struct, frozen=True):
    name: str
    version: str
    links: dict[str, str]


LINKS: Final = {
    "guide": "/guide/",
    "documents": "/docs",
    "openapi": "/openapi.json",
    "asyncapi": "/asyncapi.json",
    "socket": "/ws/conversations",
    "socket_documents": "/docs/socket",
    "ready": "/readyz",
}


class RootController(Controller):
    """The API's front page. No token is required."""

    tags = ("About",)

    @get(
        "/",
        opt=PUBLIC,
        operation_id="about",
        summary="Get the name, version and documents of this server",
        responses=documented(),
    )
    async def about(self) -> FrontPage:
        return FrontPage(name="chat", version=version("chat-backend"), links=LINKS)


def upgrade_required(path: str) -> HTTPRouteHandler:
    """Returns the handler of plain requests to the socket's `path` (RFC 9110, 15.5.22)."""

    @get(path, opt=PUBLIC, include_in_schema=False, sync_to_thread=False)
    def upgrade() -> None:
        raise HTTPException(status_code=426, headers={"Upgrade": "websocket", "Connection": "Upgrade"})

    return upgrade
