"""The audit log, for operators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Controller, get
from litestar.params import QueryParameter

from app.api.dependencies import Tx
from app.api.errors.problems import documented
from app.api.middleware.authentication import OPERATORS
from app.api.pagination import Cursor, Limit
from app.domain.audit import queries
from app.domain.audit.log import Action
from app.domain.audit.queries import Filters
from app.domain.audit.schemas import AuditPage
from app.domain.error_catalogue import invalid_cursor, path_not_found


class AuditController(Controller):
    tags = ("Operators",)
    opt = OPERATORS
    path = "/ops/audit"

    @get(
        "/",
        operation_id="readAudit",
        summary="List the audit log, newest first",
        description="Entries hold ids and a few facts, but no message text or e-mail address.",
        responses=documented(invalid_cursor, path_not_found),
    )
    async def page(
        self,
        tx: Tx,
        action: Annotated[Action | None, QueryParameter(description="The recorded action.")] = None,
        by: Annotated[UUID | None, QueryParameter(description="The `id` of the user who performed the action.")] = None,
        subject: Annotated[
            UUID | None, QueryParameter(description="The `id` of the user or object that the action affected.")
        ] = None,
        from_: Annotated[datetime | None, QueryParameter(name="from", description="Earliest time, inclusive.")] = None,
        to: Annotated[datetime | None, QueryParameter(description="Latest time, exclusive.")] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> AuditPage:
        filters = Filters(action=action, by=by, subject=subject, since=from_, until=to)
        return await queries.page(tx, filters, limit=limit, cursor=cursor)
