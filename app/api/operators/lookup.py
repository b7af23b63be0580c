"""Lookup of users and conversations, and suspension of accounts."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Controller, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from app.api.dependencies import Database, Tx
from app.api.errors.problems import documented
from app.api.middleware.authentication import OPERATORS
from app.api.pagination import Cursor, Limit
from app.api.request import ChatRequest
from app.domain.accounts import suspension
from app.domain.error_catalogue import (
    account_closed,
    account_not_found,
    already_suspended,
    invalid_cursor,
    not_suspended,
    own_account,
    path_not_found,
)
from app.domain.operators import queries
from app.domain.operators.schemas import AccountPage, ConversationRecordPage

NO_CONTENT = 204


class Suspension(msgspec.Struct, forbid_unknown_fields=True):
    reason: str


class LookupController(Controller):
    tags = ("Operators",)
    opt = OPERATORS
    path = "/ops"

    @get(
        "/users",
        operation_id="findAccounts",
        summary="List accounts in any state, newest first",
        description="Without `search`, lists all accounts. E-mail addresses are not shown.",
        responses=documented(invalid_cursor, path_not_found),
    )
    async def accounts(
        self,
        request: ChatRequest,
        database: Database,
        search: Annotated[
            str | None, QueryParameter(description="An `id`, a complete e-mail address, or part of a name.")
        ] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> AccountPage:
        return await database.search(queries.accounts, request.caller.user, search=search, limit=limit, cursor=cursor)

    @post(
        "/users/{user_id:uuid}/suspend",
        status_code=NO_CONTENT,
        operation_id="suspendAccount",
        summary="Suspend an account and end all its logins",
        description="Its sockets close with 4403 within two seconds. The reason is recorded in the audit log.",
        responses=documented(account_not_found, own_account, account_closed, already_suspended),
    )
    async def suspend(
        self,
        user_id: FromPath[UUID],
        data: JSONBody[Suspension],
        request: ChatRequest,
        tx: Tx,
    ) -> None:
        await suspension.suspend(tx, request.caller.user, user_id, reason=data.reason)

    @post(
        "/users/{user_id:uuid}/restore",
        status_code=NO_CONTENT,
        operation_id="restoreAccount",
        summary="Restore a suspended account",
        responses=documented(account_not_found, account_closed, not_suspended),
    )
    async def restore(self, user_id: FromPath[UUID], request: ChatRequest, tx: Tx) -> None:
        await suspension.restore(tx, request.caller.user, user_id)

    @get(
        "/conversations",
        operation_id="findConversations",
        summary="List all conversations, including deleted ones, newest first",
        description="Shows metadata and counts, but no message text. Without `search`, lists all conversations.",
        responses=documented(invalid_cursor, path_not_found),
    )
    async def conversations(
        self,
        request: ChatRequest,
        tx: Tx,
        search: Annotated[str | None, QueryParameter(description="An `id`, or part of the name.")] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> ConversationRecordPage:
        return await queries.conversations(tx, request.caller.user, search=search, limit=limit, cursor=cursor)
