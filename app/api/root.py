"""The front page of the API."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

import msgspec
from litestar import get

from app.api.problems import documented


class FrontPage(msgspec.Struct, frozen=True):
    name: str
    version: str
    links: dict[str, str]


LINKS: Final = {
    "documents": "/docs",
    "openapi": "/openapi.json",
    "socket": "/ws/conversations",
    "ready": "/readyz",
}


@get(
    "/",
    opt={"public": True},
    operation_id="about",
    summary="Name, version, documents",
    responses=documented(),
    tags=["About"],
)
async def front_page() -> FrontPage:
    return FrontPage(name="chat", version=version("chat-backend"), links=LINKS)
