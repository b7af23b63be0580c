"""The plug that operators can pull in development on embedded servers. Everywhere else, and for all others, 404."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Controller, get, post
from litestar.params import JSONBody

from app.api.dependencies import Development, Tx
from app.api.middleware.authentication import OPERATORS
from app.api.request import ChatRequest
from app.development.plug import Part, PartOutage, Seconds


class Plugs(msgspec.Struct, frozen=True):
    """The parts of the chat that can be unplugged."""

    plug: list[Part]


class PlugPull(msgspec.Struct, forbid_unknown_fields=True):
    part: Part
    seconds: Annotated[Seconds, msgspec.Meta(description="How long the part stays away.")] = 10


class DevelopmentController(Controller):
    """Hidden from the OpenAPI document, which describes the API of every chat. docs/operations.md describes these."""

    path = "/development"
    opt = OPERATORS
    include_in_schema = False

    @get("/")
    async def plugs(self, development: Development) -> Plugs:
        return Plugs(development.plugs())

    @post("/plug", status_code=202)
    async def pull_plug(
        self, data: JSONBody[PlugPull], request: ChatRequest, tx: Tx, development: Development
    ) -> PlugPull:
        outage = PartOutage(part=data.part, seconds=data.seconds)
        await development.pull_plug(tx, outage, by=request.caller.user)
        return data
