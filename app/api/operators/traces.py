"""What became of one message, for operators."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Controller, get
from litestar.params import FromPath, QueryParameter

from app.api.dependencies import MessageTraces, Tx
from app.api.errors.problems import documented
from app.api.middleware.authentication import OPERATORS
from app.api.pagination import Cursor, Limit
from app.api.request import ChatRequest
from app.domain.error_catalogue import invalid_cursor, message_not_traced, trace_needs_conversation
from app.domain.operators.schemas import MessageTrace


class TraceController(Controller):
    tags = ("Operators",)
    opt = OPERATORS
    path = "/ops/messages"

    @get(
        "/{message_id:uuid}/trace",
        operation_id="traceMessage",
        summary="Trace a message: its place in the log, the cache, who has read it, and who was notified",
        description=(
            "Contains no text. `members` is one page of those who joined before the message was sent, in the order of "
            "their ids; `cursor` and `limit` concern this page. Each page is recorded in the audit log. A message is "
            "looked up in the conversations that were active since it was sent; if these are more than 50,000, name "
            "the conversation."
        ),
        responses=documented(message_not_traced, invalid_cursor, trace_needs_conversation),
    )
    async def trace(
        self,
        message_id: FromPath[UUID],
        request: ChatRequest,
        traces: MessageTraces,
        tx: Tx,
        conversation: Annotated[
            UUID | None, QueryParameter(description="The message's conversation, if it is known: faster.")
        ] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> MessageTrace:
        return await traces.trace(
            tx, request.caller.user, message_id, conversation=conversation, limit=limit, cursor=cursor
        )
