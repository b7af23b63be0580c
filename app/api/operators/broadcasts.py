"""Broadcasts: sent now or later, on sockets and optionally by mail."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from litestar import Controller, get, post
from litestar.params import FromPath, JSONBody

from app.api.dependencies import Tx
from app.api.errors.problems import documented
from app.api.middleware.authentication import OPERATORS
from app.api.pagination import Cursor, Limit
from app.api.request import ChatRequest
from app.domain.broadcasts import queries, schedule
from app.domain.broadcasts.schedule import USUAL
from app.domain.broadcasts.schemas import Audience, Broadcast, BroadcastPage
from app.domain.error_catalogue import (
    already_canceled,
    broadcast_not_found,
    invalid_cursor,
    path_not_found,
    too_many_broadcasts,
    unknown_conversation,
)

NO_CONTENT = 204


class Plan(msgspec.Struct, forbid_unknown_fields=True):
    """`conversations` is used when `to` is `conversations`. Without `send_at` the broadcast is sent at once."""

    title: str
    text: str
    to: Audience
    conversations: list[UUID] = []
    send_at: datetime | None = None
    expires_at: datetime | None = None
    mail: bool = False
    mails_per_second: int = USUAL


class BroadcastController(Controller):
    tags = ("Operators",)
    opt = OPERATORS
    path = "/ops/broadcasts"

    @post(
        "/",
        operation_id="planBroadcast",
        summary="Send a broadcast, now or at a given time",
        description="Connected users receive it within two seconds of its time, others when they next connect.",
        responses=documented(unknown_conversation, path_not_found, too_many_broadcasts),
    )
    async def plan(self, data: JSONBody[Plan], request: ChatRequest, tx: Tx) -> Broadcast:
        broadcast = await schedule.plan(
            tx,
            by=request.caller.user,
            title=data.title,
            text=data.text,
            to=data.to,
            conversations=data.conversations,
            send_at=data.send_at,
            expires_at=data.expires_at,
            mail=data.mail,
            mails_per_second=data.mails_per_second,
        )
        return await queries.show(tx, broadcast)

    @get(
        "/",
        operation_id="listBroadcasts",
        summary="List broadcasts with the progress of their mails, the latest scheduled first",
        responses=documented(invalid_cursor, path_not_found),
    )
    async def page(self, tx: Tx, cursor: Cursor = None, limit: Limit = 50) -> BroadcastPage:
        return await queries.listing(tx, limit=limit, cursor=cursor)

    @get(
        "/{broadcast_id:uuid}",
        operation_id="getBroadcast",
        summary="Get a broadcast with the progress of its mails",
        responses=documented(broadcast_not_found),
    )
    async def show(self, broadcast_id: FromPath[UUID], tx: Tx) -> Broadcast:
        return await queries.show(tx, broadcast_id)

    @post(
        "/{broadcast_id:uuid}/cancel",
        status_code=NO_CONTENT,
        operation_id="cancelBroadcast",
        summary="Cancel a broadcast: stop its delivery and its mails",
        responses=documented(broadcast_not_found, already_canceled),
    )
    async def cancel(self, broadcast_id: FromPath[UUID], request: ChatRequest, tx: Tx) -> None:
        await schedule.cancel(tx, broadcast_id, by=request.caller.user)
