"""Read cursors: how far the caller has read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Controller, post, put
from litestar.params import FromPath, JSONBody

from app.api.dependencies import Tx
from app.api.errors.problems import documented
from app.api.request import ChatRequest
from app.domain.conversations import read_cursors
from app.domain.conversations.schemas import ReadState
from app.domain.error_catalogue import conversation_not_found, invalid_seq, members_only
from app.domain.messages import mark_read

MAX_MARKS = 500


class ReadUpTo(msgspec.Struct, forbid_unknown_fields=True):
    seq: int


class Mark(msgspec.Struct, forbid_unknown_fields=True):
    """`seen_at` is accepted from older clients but not stored: a read cursor has no time."""

    message: UUID
    seen_at: datetime | None = None


class Marks(msgspec.Struct, forbid_unknown_fields=True):
    data: Annotated[list[Mark], msgspec.Meta(min_length=1, max_length=MAX_MARKS)]


class ReadingController(Controller):
    """The caller's read cursor of one conversation. It never moves back."""

    path = "/conversations/{conversation_id:uuid}"
    tags = ("Reading",)

    @put(
        "/read",
        operation_id="markRead",
        responses=documented(invalid_seq, members_only, conversation_not_found),
        summary="Mark messages up to a seq as read",
        description="`invalid_seq` if the seq is beyond the last message. A seq behind the cursor changes nothing.",
    )
    async def read(
        self,
        conversation_id: FromPath[UUID],
        data: JSONBody[ReadUpTo],
        request: ChatRequest,
        tx: Tx,
    ) -> ReadState:
        return await read_cursors.read(tx, conversation_id, request.caller.user, data.seq)

    @post(
        "/mark_message_read",
        status_code=204,
        operation_id="markMessagesRead",
        responses=documented(members_only, conversation_not_found),
        summary="Mark these messages, and all before the newest of them, as read",
        description="404 if one of them is not a message of this conversation.",
    )
    async def mark(
        self,
        conversation_id: FromPath[UUID],
        data: JSONBody[Marks],
        request: ChatRequest,
        tx: Tx,
    ) -> None:
        await mark_read.mark_read(tx, conversation_id, request.caller.user, [mark.message for mark in data.data])
