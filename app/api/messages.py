"""Messages of a conversation: send, page, open, edit, delete. Members only."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Controller, Response, delete, get, patch, post, put
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter

from app.api.dependencies import PageReader, Tx, Writer
from app.api.errors.problems import documented
from app.api.middleware.authentication import ADMITTED_LATER
from app.api.request import ChatRequest
from app.api.responses import passed_on
from app.domain.error_catalogue import (
    conversation_not_found,
    idempotency_mismatch,
    invalid_limit,
    invalid_message,
    invalid_page,
    members_only,
    message_deleted,
    message_not_found,
    not_the_sender,
    sender_or_admin_only,
)
from app.domain.messages import edit, receipts, send
from app.domain.messages.content import MediaUrl, MessageBody, Text
from app.domain.messages.history import PageQuery
from app.domain.messages.schemas import Message, MessageDetail, MessagePage
from app.domain.size_limits import MAX_PAGE_SIZE

OF_MEMBERS = (members_only, conversation_not_found)
OF_MESSAGES = (members_only, message_not_found)

MessageLimit = Annotated[
    int,
    QueryParameter(description="Maximum number of items.", schema_extra={"minimum": 1, "maximum": MAX_PAGE_SIZE}),
]

FROM_ONE = QueryParameter(schema_extra={"minimum": 1})
"""Documents a `seq` parameter; the domain rejects other values, with an error code of its own."""


class MessageToSend(MessageBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`text` for the type `text`, `media_url` for all other types. A `client_id` makes retries safe."""


class MessageEdit(msgspec.Struct, forbid_unknown_fields=True):
    """Either `text` or `media_url`, depending on the message's type."""

    text: Text = None
    media_url: MediaUrl = None


class MessageController(Controller):
    """The messages of one conversation."""

    path = "/conversations/{conversation_id:uuid}/messages"
    tags = ("Messages",)

    @post(
        "/",
        opt=ADMITTED_LATER,
        operation_id="sendMessage",
        summary="Send a message",
        description="A retry with the same `client_id` (or `Idempotency-Key`) stores nothing twice.",
        responses={
            201: ResponseSpec(Message, description="Stored: the message was committed before this response."),
            200: ResponseSpec(Message, description="A replay of this client_id: the message in its current state."),
            **documented(invalid_message, *OF_MEMBERS, idempotency_mismatch),
        },
    )
    async def send(
        self,
        conversation_id: FromPath[UUID],
        data: JSONBody[MessageToSend],
        request: ChatRequest,
        writer: Writer,
        idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None,
    ) -> Response[bytes]:
        draft = send.draft(conversation_id, request.caller, data, idempotency_key)
        return _sent(await writer.send(draft, request.admission))

    @get(
        "/",
        opt=ADMITTED_LATER,
        operation_id="listMessages",
        summary="List messages: the newest, or those before, after or around a seq",
        description=(
            "`has_more` refers to the requested direction. A page holds at most 1 MiB of messages: if the requested "
            "ones are"
            " larger, it has fewer items, those nearest to its start, and `has_more` is true."
        ),
        responses={
            200: ResponseSpec(MessagePage, description="A page of messages, in ascending order of seq."),
            **documented(invalid_limit, invalid_page, *OF_MEMBERS),
        },
    )
    async def page(
        self,
        conversation_id: FromPath[UUID],
        request: ChatRequest,
        page_reader: PageReader,
        before: Annotated[int | None, FROM_ONE] = None,
        after: Annotated[int | None, QueryParameter(schema_extra={"minimum": 0})] = None,
        around: Annotated[int | None, FROM_ONE] = None,
        limit: MessageLimit = 50,
    ) -> Response[bytes]:
        query = PageQuery(before, after, around, limit)
        return passed_on(await page_reader.page(conversation_id, request.caller, query, request.admission))

    @get(
        "/{message_id:uuid}",
        operation_id="getMessage",
        summary="Get a message and its read receipts",
        responses=documented(*OF_MESSAGES),
    )
    async def open(
        self,
        conversation_id: FromPath[UUID],
        message_id: FromPath[UUID],
        request: ChatRequest,
        tx: Tx,
    ) -> MessageDetail:
        return await receipts.detail(tx, conversation_id, message_id, request.caller)

    @patch(
        "/{message_id:uuid}",
        operation_id="editMessage",
        summary="Edit your own message",
        description="Send `text` for a text message, and `media_url` for any other type.",
        responses=documented(invalid_message, *OF_MESSAGES, not_the_sender, message_deleted),
    )
    async def edit(
        self,
        conversation_id: FromPath[UUID],
        message_id: FromPath[UUID],
        data: JSONBody[MessageEdit],
        request: ChatRequest,
        tx: Tx,
    ) -> Message:
        return await edit.edit(
            tx, conversation_id, message_id, request.caller, text=data.text, media_url=data.media_url
        )

    @put(
        "/{message_id:uuid}",
        operation_id="replaceMessage",
        summary="Edit your own message (same as PATCH)",
        responses=documented(invalid_message, *OF_MESSAGES, not_the_sender, message_deleted),
    )
    async def replace(
        self,
        conversation_id: FromPath[UUID],
        message_id: FromPath[UUID],
        data: JSONBody[MessageEdit],
        request: ChatRequest,
        tx: Tx,
    ) -> Message:
        return await edit.edit(
            tx, conversation_id, message_id, request.caller, text=data.text, media_url=data.media_url
        )

    @delete(
        "/{message_id:uuid}",
        operation_id="deleteMessage",
        summary="Delete a message (its sender or an admin)",
        description="The message keeps its seq, with empty `text` and `media_url`.",
        responses=documented(*OF_MESSAGES, sender_or_admin_only, message_deleted),
    )
    async def remove(
        self,
        conversation_id: FromPath[UUID],
        message_id: FromPath[UUID],
        request: ChatRequest,
        tx: Tx,
    ) -> None:
        await edit.delete(tx, conversation_id, message_id, request.caller)


def _sent(sent: send.Sent) -> Response[bytes]:
    if sent.replayed:
        return passed_on(sent.message, headers={"Idempotency-Replayed": "true"})
    return passed_on(sent.message, status_code=201)
