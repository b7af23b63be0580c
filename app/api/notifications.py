"""Notifications: the list, preferences per conversation, the decisions about a message, unsubscribing."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import quote
from uuid import UUID

import msgspec
from litestar import Controller, get, post, put
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Redirect

from app.api.accounts.email_links import TokenBody
from app.api.dependencies import Tx, UnsubscribeTokens
from app.api.errors.problems import documented
from app.api.middleware.authentication import ANY_BODY, PUBLIC
from app.api.pagination import Cursor, Limit
from app.api.request import ChatRequest
from app.domain.error_catalogue import (
    conversation_not_found,
    invalid,
    invalid_cursor,
    invalid_unsubscribe_token,
    members_only,
    message_not_found,
)
from app.domain.notifications import decision_log, preferences, queries
from app.domain.notifications.schemas import Attention, NotificationDecisions, NotificationPage

MAX_IDS = 100

Token = Annotated[str, QueryParameter(max_length=200, description="The token from the mail.")]


class MarkedCount(msgspec.Struct, forbid_unknown_fields=True):
    """Either `ids` or `all: true`."""

    ids: Annotated[list[UUID], msgspec.Meta(max_length=MAX_IDS)] | msgspec.UnsetType = msgspec.UNSET
    all: bool = False


class PreferencesChange(msgspec.Struct, forbid_unknown_fields=True):
    """Notification preferences. Omitted fields are reset to their defaults."""

    level: Literal["all", "mentions", "none"]
    muted_until: datetime | None = None
    mails: bool = True


class Unsubscribed(msgspec.Struct, frozen=True):
    detail: str = "You get no more mails about this conversation."


class NotificationController(Controller):
    tags = ("Notifications",)

    @get(
        "/notifications",
        operation_id="listNotifications",
        summary="List my notifications: unread messages by conversation, newest first",
        responses=documented(invalid_cursor),
    )
    async def listing(
        self,
        request: ChatRequest,
        tx: Tx,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> NotificationPage:
        return await queries.listing(tx, request.caller, limit=limit, cursor=cursor)

    @post(
        "/notifications/read",
        status_code=204,
        operation_id="markNotificationsRead",
        summary="Mark some or all notifications as read",
        description=(
            "Reading the messages also marks their notifications. Ids of other users' notifications are ignored."
        ),
        responses=documented(),
    )
    async def mark_read(self, data: JSONBody[MarkedCount], request: ChatRequest, tx: Tx) -> None:
        await queries.mark_read(tx, request.caller, _ids(data))

    @get(
        "/conversations/{conversation_id:uuid}/notifications",
        operation_id="getAttention",
        summary="Get my notification preferences for a conversation",
        responses=documented(members_only, conversation_not_found),
    )
    async def attention(self, conversation_id: FromPath[UUID], request: ChatRequest, tx: Tx) -> Attention:
        return await preferences.preferences(tx, request.caller, conversation_id)

    @put(
        "/conversations/{conversation_id:uuid}/notifications",
        operation_id="setAttention",
        summary="Set my notification preferences for a conversation",
        description=(
            "`all` messages, only `mentions` (`@Ada` or `@Ada Lovelace` in a text, as it was sent), or `none`; not "
            "before `muted_until`. `mails: false` turns mails off. Fields left out of the body return to their default."
        ),
        responses=documented(members_only, conversation_not_found),
    )
    async def attend(
        self,
        conversation_id: FromPath[UUID],
        data: JSONBody[PreferencesChange],
        request: ChatRequest,
        tx: Tx,
    ) -> Attention:
        return await preferences.set_preferences(
            tx, request.caller, conversation_id, level=data.level, muted_until=data.muted_until, mails=data.mails
        )

    @get(
        "/conversations/{conversation_id:uuid}/messages/{message_id:uuid}/notifications",
        operation_id="listDecisions",
        summary="List why I was notified of a message, or was not",
        description=(
            "Newest first, kept for a week; none for your own messages. Messages that arrive together are decided "
            "together, and the decision about a mail appears after its quiet period. Reasons: `sent`; or `read "
            "elsewhere`, `present`, `hidden`, `muted`, `level`, `deleted`, `unsubscribed`, `no address`, `throttled`, "
            "`gone`, `unknown`; for a mail also `due`, `written`, `refused`, `failed`."
        ),
        responses=documented(members_only, message_not_found),
    )
    async def decisions(
        self,
        conversation_id: FromPath[UUID],
        message_id: FromPath[UUID],
        request: ChatRequest,
        tx: Tx,
    ) -> NotificationDecisions:
        return await decision_log.decisions(tx, request.caller, conversation_id, message_id)

    @post(
        "/unsubscribe",
        status_code=204,
        opt=PUBLIC,
        operation_id="unsubscribe",
        summary="Unsubscribe from mails about a conversation",
        description="Takes the token from such a mail and needs no login. Repeating it has no further effect.",
        responses=documented(invalid_unsubscribe_token),
    )
    async def unsubscribe(
        self,
        data: JSONBody[TokenBody],
        tx: Tx,
        unsubscribe_tokens: UnsubscribeTokens,
    ) -> None:
        await unsubscribe_tokens.apply(tx, data.token)

    @post(
        "/unsubscribe/one-click",
        status_code=200,
        opt=ANY_BODY,
        operation_id="unsubscribeByOneClick",
        summary="Unsubscribe with one click, as mail programs do",
        description=(
            "RFC 8058: the `List-Unsubscribe` header of such a mail names this URL, and the mail program posts the "
            "form "
            "`List-Unsubscribe=One-Click` to it. The body is not read. Repeating it has no further effect."
        ),
        responses=documented(invalid_unsubscribe_token),
    )
    async def unsubscribe_by_one_click(
        self,
        token: Token,
        tx: Tx,
        unsubscribe_tokens: UnsubscribeTokens,
    ) -> Unsubscribed:
        await unsubscribe_tokens.apply(tx, token)
        return Unsubscribed()

    @get("/unsubscribe/one-click", opt=ANY_BODY, include_in_schema=False)
    async def ask_before_unsubscribing(self, token: Token) -> Redirect:
        """Redirects to a button and changes nothing, because programs follow a mail's links before its reader does."""
        return Redirect(f"/account#unsubscribe={quote(token, safe='=')}")


def _ids(data: MarkedCount) -> list[UUID] | None:
    """Returns None for all. Raises Invalid if neither or both are given."""
    if data.all is (data.ids is not msgspec.UNSET):
        raise invalid(("ids", "Must be given, unless all is true."))
    return None if data.ids is msgspec.UNSET else data.ids
