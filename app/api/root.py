"""The front page of the API."""

from __future__ import annotations

from importlib.metadata import version

import msgspec
from litestar import get


class FrontPage(msgspec.Struct, frozen=True):
    name: str
    version: str
    links: dict[str, str]


@get("/", opt={"public": True}, operation_id="about", summary="Name, version, documents", tags=["About"])
async def front_page() -> FrontPage:
    return FrontPage(
        name="chat",
        version=version("chat-backend"),
        links={
            "documents": "/docs",
            "openapi": "/openapi.json",
            "socket": "/ws/conversations",
            "ready": "/readyz",
        },
    )
