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
from app.domain.error_catalogue import (
    admins_only,
    already_admin,
    already_joined,
    already_member,
    conversation_full,
    conversation_not_found,
    creator_fixed,
    invalid_cursor,
    members_only,
    not_a_member,
    not_addable,
    not_an_admin,
    not_in_directs,
    not_joined,
    too_many_conversations,
    unknown_user,
    user_has_too_many_conversations,
)
from app.domain.messages import contacts

NO_CONTENT = 204
OF_ADMINS = (members_only, admins_only, conversation_not_found, not_in_directs)


class MemberUser(msgspec.Struct, forbid_unknown_fields=True):
    user: UUID


class MemberController(Controller):
    """Members and their roles. Every change of a direct conversation returns 409 `direct`."""

    path = "/conversations/{conversation_id:uuid}"
    tags = ("Members",)

    @get(
        "/members",
        operation_id="listMembers",
        responses=documented(invalid_cursor, conversation_not_found),
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
            conversation_not_found, already_joined, conversation_full, too_many_conversations, not_in_directs
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
            unknown_user,
            *OF_ADMINS,
            not_addable,
            already_member,
            conversation_full,
            user_has_too_many_conversations,
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
        responses=documented(*OF_ADMINS, creator_fixed, not_a_member),
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
        responses=documented(conversation_not_found, not_joined, not_in_directs),
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
        responses=documented(*OF_ADMINS, creator_fixed, already_admin, not_a_member),
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
        responses=documented(*OF_ADMINS, creator_fixed, not_an_admin, not_a_member),
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
