"""Catch-up over REST: the changes after a position."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Controller, get
from litestar.params import FromPath, QueryParameter

from app.api.dependencies import Tx
from app.api.errors.problems import documented
from app.api.pagination import Limit
from app.api.request import ChatRequest
from app.domain.error_catalogue import conversation_not_found, members_only, position_ahead
from app.domain.messages.changes import changes_for
from app.domain.messages.schemas import ChangePage


class ChangeController(Controller):
    """The change log of one conversation, with each row in its current state."""

    path = "/conversations/{conversation_id:uuid}/changes"
    tags = ("Reading",)

    @get(
        "/",
        operation_id="listChanges",
        responses=documented(members_only, conversation_not_found, position_ahead),
        summary="List the changes after a position, to be upserted",
        description=(
            "If `complete` is false, continue from `position`. Items of more than 1 MiB are split over several pages."
            " After `reset`, load the conversation again."
        ),
    )
    async def page(
        self,
        conversation_id: FromPath[UUID],
        request: ChatRequest,
        tx: Tx,
        after: Annotated[
            int, QueryParameter(ge=0, le=2**63 - 1, description="The last position that the client has.")
        ] = 0,
        limit: Limit = 50,
    ) -> ChangePage:
        return await changes_for(tx, conversation_id, request.caller.user, after=after, limit=limit)
