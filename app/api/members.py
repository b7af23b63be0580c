"""Members of a conversation: list, join, add, remove, leave, and admin roles."""

from __future__ import annotations

from uuid import UUID

import msgspec
from litestar import Controller, get, post
from litestar.params import FromPath, JSONBody

from app.api.dependencies import Quotas, Tx
from app.api.errors.problems import documented
from app.api.pagination import Cursor, Limit
from app.api.request import ChatRequest
from app.domain.conversations import admin_role, members, queries
from app.domain.conversations.schemas import MemberPage
from app.domain.messages import contacts

NO_CONTENT = 204
OF_ADMINS = ("403 not_a_member", "403 admins_only", "404 not_found", "409 direct")


class MemberUser(msgspec.Struct, forbid_unknown_fields=True):
    user: UUID


class MemberController(Controller):
    """Members and their roles. Every change of a direct conversation returns 409 `direct`."""

    path = "/conversations/{conversation_id:uuid}"
    tags = ("Members",)

    @get(
        "/members",
        operation_id="listMembers",
        responses=documented("400 invalid_cursor", "404 not_found"),
        summary="List members in the order of their ids",
        description="Members of a public conversation are visible to every user.",
    )
    async def page(
        self,
        conversation_id: FromPath[UUID],
        request: ChatRequest,
        tx: Tx,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> MemberPage:
        return await queries.members_for(tx, conversation_id, request.caller.user, cursor=cursor, limit=limit)

    @post(
        "/join",
        status_code=NO_CONTENT,
        operation_id="joinConversation",
        responses=documented(
            "404 not_found", "409 already_member", "409 conversation_full", "409 too_many_conversations", "409 direct"
        ),
        summary="Join a public group",
        description="A private group answers 404.",
    )
    async def join(self, conversation_id: FromPath[UUID], request: ChatRequest, tx: Tx) -> None:
        await members.join(tx, conversation_id, request.caller.user)

    @post(
        "/add_member",
        status_code=NO_CONTENT,
        operation_id="addMember",
        responses=documented(
            "400 unknown_user",
            *OF_ADMINS,
            "403 not_addable",
            "409 already_member",
            "409 conversation_full",
            "409 too_many_conversations",
        ),
        summary="Add a user (admins only)",
        description=(
            "`not_addable`: this user's `who_may_add` setting excludes the caller. 429 with the policy `additions` "
            "when the "
            "caller has added too many strangers, with `added` when too many strangers have added this user."
        ),
    )
    async def add(
        self,
        conversation_id: FromPath[UUID],
        data: JSONBody[MemberUser],
        request: ChatRequest,
        tx: Tx,
        quotas: Quotas,
    ) -> None:
        await contacts.add(tx, quotas, conversation_id, request.caller.user, data.user)

    @post(
        "/remove_member",
        status_code=NO_CONTENT,
        operation_id="removeMember",
        responses=documented(*OF_ADMINS, "403 creator", "409 not_a_member"),
        summary="Remove a member (admins only)",
        description="The creator cannot be removed.",
    )
    async def remove(
        self,
        conversation_id: FromPath[UUID],
        data: JSONBody[MemberUser],
        request: ChatRequest,
        tx: Tx,
    ) -> None:
        await members.remove(tx, conversation_id, request.caller.user, data.user)

    @post(
        "/leave_conversation",
        status_code=NO_CONTENT,
        operation_id="leaveConversation",
        responses=documented("404 not_found", "409 not_a_member", "409 direct"),
        summary="Leave a group",
        description=(
            "If the creator leaves, the longest-serving admin, or else member, becomes the creator. When the last "
            "member leaves, the group closes."
        ),
    )
    async def leave(self, conversation_id: FromPath[UUID], request: ChatRequest, tx: Tx) -> None:
        await members.leave(tx, conversation_id, request.caller.user)

    @post(
        "/make_admin",
        status_code=NO_CONTENT,
        operation_id="makeAdmin",
        responses=documented(*OF_ADMINS, "403 creator", "409 already_admin", "409 not_a_member"),
        summary="Make a member an admin (admins only)",
    )
    async def make_admin(
        self,
        conversation_id: FromPath[UUID],
        data: JSONBody[MemberUser],
        request: ChatRequest,
        tx: Tx,
    ) -> None:
        await admin_role.make_admin(tx, conversation_id, request.caller.user, data.user)

    @post(
        "/remove_admin",
        status_code=NO_CONTENT,
        operation_id="removeAdmin",
        responses=documented(*OF_ADMINS, "403 creator", "409 not_an_admin", "409 not_a_member"),
        summary="Remove the admin role from a member (admins only)",
    )
    async def remove_admin(
        self,
        conversation_id: FromPath[UUID],
        data: JSONBody[MemberUser],
        request: ChatRequest,
        tx: Tx,
    ) -> None:
        await admin_role.remove_admin(tx, conversation_id, request.caller.user, data.user)
