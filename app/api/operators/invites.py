"""Invites: links by which people register where registration is not open."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Controller, delete, get, post
from litestar.params import FromPath, JSONBody

from app.api.accounts.profile import Email
from app.api.dependencies import InviteLinks, Tx
from app.api.errors.problems import documented
from app.api.middleware.authentication import OPERATORS
from app.api.pagination import Cursor, Limit
from app.api.request import ChatRequest
from app.domain.error_catalogue import invalid_cursor, invite_not_found, path_not_found, too_many_invites
from app.domain.invites import issue, queries
from app.domain.invites.issue import MAX_HOURS, MAX_NOTE_LENGTH, MAX_USES, USUAL_HOURS
from app.domain.invites.schemas import InvitePage, NewInvite

NO_CONTENT = 204


class InviteToCreate(msgspec.Struct, forbid_unknown_fields=True):
    """`note` is shown to the people who open the link. With `email` the invite works for that address only, once."""

    max_uses: Annotated[int, msgspec.Meta(ge=1, le=MAX_USES)] = 1
    expires_in_hours: Annotated[int, msgspec.Meta(ge=1, le=MAX_HOURS)] = USUAL_HOURS
    note: Annotated[str, msgspec.Meta(max_length=MAX_NOTE_LENGTH)] = ""
    email: Email | None = None


class InviteController(Controller):
    tags = ("Operators",)
    opt = OPERATORS
    path = "/ops/invites"

    @post(
        "/",
        operation_id="createInvite",
        summary="Create an invite",
        description=(
            "The answer has the token and the link, which are stored nowhere and cannot be shown again. A use is an "
            "account that is created with the invite."
        ),
        responses=documented(path_not_found, too_many_invites),
    )
    async def create(
        self, data: JSONBody[InviteToCreate], request: ChatRequest, invite_links: InviteLinks, tx: Tx
    ) -> NewInvite:
        return await issue.create(
            tx,
            by=request.caller.user,
            links=invite_links,
            max_uses=data.max_uses,
            expires_in_hours=data.expires_in_hours,
            note=data.note,
            email=data.email,
        )

    @get(
        "/",
        operation_id="listInvites",
        summary="List invites in any state, newest first, without their tokens",
        description="An invite is kept for 30 days after it expires.",
        responses=documented(invalid_cursor, path_not_found),
    )
    async def page(self, tx: Tx, cursor: Cursor = None, limit: Limit = 50) -> InvitePage:
        return await queries.listing(tx, limit=limit, cursor=cursor)

    @delete(
        "/{invite_id:uuid}",
        status_code=NO_CONTENT,
        operation_id="revokeInvite",
        summary="Revoke an invite",
        description="It ends at once, also for registrations that wait for their activation. Accounts stay.",
        responses=documented(invite_not_found),
    )
    async def revoke(self, invite_id: FromPath[UUID], request: ChatRequest, tx: Tx) -> None:
        await issue.revoke(tx, invite_id, by=request.caller.user)
