"""Tasks that have no retries left, and retrying them by hand."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, get, post
from litestar.params import FromPath

from app.api.dependencies import Tx
from app.api.errors.problems import documented
from app.api.middleware.authentication import OPERATORS
from app.api.pagination import Cursor, Limit
from app.api.request import ChatRequest
from app.domain.error_catalogue import failed_task_not_found, invalid_cursor, not_repeatable, path_not_found
from app.domain.jobs import failed_tasks
from app.domain.jobs.schemas import FailedTask, FailedTaskPage


class FailedTaskController(Controller):
    tags = ("Operators",)
    opt = OPERATORS
    path = "/ops/tasks/failed"

    @get(
        "/",
        operation_id="listFailedTasks",
        summary="List tasks that failed permanently, newest first",
        responses=documented(invalid_cursor, path_not_found),
    )
    async def listing(self, tx: Tx, cursor: Cursor = None, limit: Limit = 50) -> FailedTaskPage:
        return await failed_tasks.listing(tx, limit=limit, cursor=cursor)

    @post(
        "/{failed_id:uuid}/retry",
        status_code=202,
        operation_id="retryFailedTask",
        summary="Retry a failed task",
        description="The task is enqueued within ten seconds. Tasks are safe to run twice.",
        responses=documented(failed_task_not_found, not_repeatable),
    )
    async def retry(self, failed_id: FromPath[UUID], request: ChatRequest, tx: Tx) -> FailedTask:
        return await failed_tasks.request_retry(tx, failed_id, by=request.caller.user)
