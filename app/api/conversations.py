"""Conversations: list, discover, open, create, change, delete, hide."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Controller, Response, delete, get, patch, post, put
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, JSONBody

from app.api.dependencies import ConversationLists, Database, Quotas, Tx
from app.api.errors.problems import documented
from app.api.middleware.authentication import ADMITTED_LATER
from app.api.pagination import Cursor, Limit
from app.api.request import ChatRequest
from app.api.responses import as_json
from app.domain.conversations import groups, hidden_conversations
from app.domain.conversations.schemas import Kind
from app.domain.error_catalogue import (
    admins_only,
    conversation_not_found,
    creator_only,
    invalid,
    invalid_cursor,
    members_only,
    not_addable,
    not_in_directs,
    not_in_groups,
    search_busy,
    too_many_conversations,
    unknown_user,
    yourself,
)
from app.domain.inbox.detail import detail
from app.domain.inbox.queries import discover
from app.domain.inbox.schemas import ConversationDetail, ConversationPage
from app.domain.messages import contacts
from app.domain.users.caller import Caller

A_PAGE = {
    200: ResponseSpec(ConversationPage, description="A page of conversations, and the cursor of the next page.")
} | documented(invalid_cursor, search_busy)

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=groups.MAX_NAME_LENGTH, examples=["Mathematicians"])]


class NewConversation(msgspec.Struct, forbid_unknown_fields=True):
    """A group takes `name` and optionally `is_private`; a direct conversation takes only the other `user`."""

    kind: Kind = "group"
    name: Name | None = None
    is_private: bool | None = None
    user: UUID | None = None

    async def create(self, tx: Tx, by: Caller, quotas: Quotas) -> tuple[UUID, bool]:
        """Returns the conversation's id and whether it is new."""
        if self.kind == "direct":
            if self.user is None or self.name is not None or self.is_private is not None:
                raise invalid(("user", "Must be given, alone, for a direct conversation."))
            return await contacts.start_direct(tx, quotas, by.user, self.user)
        if self.name is None or self.user is not None:
            raise invalid(("name", "Must be given for a group, without a user."))
        return await groups.create(tx, by.user, self.name, is_private=bool(self.is_private)), True


class ConversationChange(msgspec.Struct, forbid_unknown_fields=True):
    """At least one of the two."""

    name: Name | None = None
    is_private: bool | None = None


class Visibility(msgspec.Struct, forbid_unknown_fields=True):
    hidden: bool


class ConversationController(Controller):
    """The caller's list, discovery, and single conversations."""

    path = "/conversations"
    tags = ("Conversations",)

    @get(
        "/",
        operation_id="listConversations",
        summary="List my conversations, latest activity first",
        opt=ADMITTED_LATER,
        responses=A_PAGE,
    )
    async def mine(
        self,
        request: ChatRequest,
        conversation_lists: ConversationLists,
        search: FromQuery[str | None] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Response[bytes]:
        return as_json(
            await conversation_lists.page(request.caller, request.admission, search=search, cursor=cursor, limit=limit)
        )

    @post(
        "/",
        operation_id="createConversation",
        summary="Create a group, or open the direct conversation with a user",
        description=(
            "A group takes `name`; a direct conversation takes `user`, the other user. Opening a direct conversation "
            "that you have hidden returns it to your list. `not_addable`: the other user's `who_may_add` setting "
            "excludes the caller."
        ),
        responses=documented(unknown_user, yourself, not_addable, too_many_conversations)
        | {
            201: ResponseSpec(
                ConversationDetail, description="Created. The caller is the creator and an admin of a group."
            ),
            200: ResponseSpec(ConversationDetail, description="The existing direct conversation of the two users."),
        },
    )
    async def create(
        self,
        data: JSONBody[NewConversation],
        request: ChatRequest,
        tx: Tx,
        quotas: Quotas,
    ) -> Response[ConversationDetail]:
        return await _opened(tx, request.caller, *await data.create(tx, request.caller, quotas))

    @get(
        "/discover",
        operation_id="discoverConversations",
        summary="Discover public conversations I am not in, newest first",
        responses=A_PAGE,
    )
    async def discover(
        self,
        request: ChatRequest,
        database: Database,
        search: FromQuery[str | None] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Response[bytes]:
        return as_json(await database.search(discover, request.caller.user, search=search, cursor=cursor, limit=limit))

    @get(
        "/{conversation_id:uuid}",
        operation_id="getConversation",
        responses=documented(conversation_not_found),
        summary="Get a conversation with its first 50 members",
        description="Non-members can open public conversations, with `role` null and without messages.",
    )
    async def open(self, conversation_id: FromPath[UUID], request: ChatRequest, tx: Tx) -> ConversationDetail:
        return await detail(tx, conversation_id, request.caller.user)

    @patch(
        "/{conversation_id:uuid}",
        operation_id="changeConversation",
        responses=documented(members_only, admins_only, conversation_not_found, not_in_directs),
        summary="Rename a group, or make it public or private (admins only)",
    )
    async def change(
        self,
        conversation_id: FromPath[UUID],
        data: JSONBody[ConversationChange],
        request: ChatRequest,
        tx: Tx,
    ) -> ConversationDetail:
        await groups.change(tx, conversation_id, request.caller.user, name=data.name, is_private=data.is_private)
        return await detail(tx, conversation_id, request.caller.user)

    @delete(
        "/{conversation_id:uuid}",
        operation_id="deleteConversation",
        responses=documented(members_only, creator_only, conversation_not_found, not_in_directs),
        summary="Delete a group for all members (creator only)",
    )
    async def close(self, conversation_id: FromPath[UUID], request: ChatRequest, tx: Tx) -> None:
        await groups.delete(tx, conversation_id, request.caller.user)

    @put(
        "/{conversation_id:uuid}/hidden",
        status_code=204,
        operation_id="hideConversation",
        responses=documented(members_only, conversation_not_found, not_in_groups),
        summary="Hide a direct conversation from my list, or show it again",
        description=(
            "A hidden conversation is neither in the list nor in `hello` and does not count towards the limit of "
            "conversations; it can still be opened by its id. The caller's sockets receive `access.revoked` with the "
            "reason `hidden`. The next message, from either side, shows it again: the sockets receive "
            "`conversation.created`."
        ),
    )
    async def hide(
        self,
        conversation_id: FromPath[UUID],
        data: JSONBody[Visibility],
        request: ChatRequest,
        tx: Tx,
    ) -> None:
        await hidden_conversations.set_hidden(tx, conversation_id, request.caller.user, hidden=data.hidden)


async def _opened(tx: Tx, caller: Caller, conversation: UUID, new: bool) -> Response[ConversationDetail]:
    return Response(await detail(tx, conversation, caller.user), status_code=201 if new else 200)
