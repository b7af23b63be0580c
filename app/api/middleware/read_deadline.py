"""Answers a GET with 503 if it has no response in time, because Postgres has stopped answering.

The driver needs up to 25 seconds to give up on a silent server: the read goes on until then, and its late response is
dropped. Writes are not answered early: they may be stored, and only their own deadline knows (`outcome_unknown`).
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors.problems import MEDIA_TYPE, refusal
from app.domain.error_catalogue import database_unavailable

READ_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)


class ReadDeadline(ASGIMiddleware):
    """Wraps the routes of the API, outside of authentication and inside CORS. `seconds` is the deadline."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, *, seconds: float = READ_SECONDS) -> None:
        self._seconds = seconds

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if scope.get("method") != "GET":
            await next_app(scope, receive, send)
            return
        answer = _Answer(send)
        timer = asyncio.get_running_loop().call_later(self._seconds, answer.refuse)
        try:
            await next_app(scope, receive, answer.send)
        except Exception as error:
            if answer.refusing is None:
                raise
            # It has been answered: nothing may be sent for this error.
            log.info("late_read_failed", route=scope.get("path_template"), error=type(error).__name__)
        finally:
            timer.cancel()
        if answer.refusing is not None:
            await answer.refusing


class _Answer:
    """The first of two responses: the application's, or the refusal."""

    __slots__ = ("_send", "refusing", "started")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False
        self.refusing: asyncio.Task[None] | None = None

    async def send(self, message: Message) -> None:
        if self.refusing is None:
            self.started = True
            await self._send(message)

    def refuse(self) -> None:
        if not self.started:
            self.refusing = asyncio.create_task(self._refuse())

    async def _refuse(self) -> None:
        problem = refusal(database_unavailable())
        fields = {**problem.headers, "Content-Type": MEDIA_TYPE, "Content-Length": str(len(problem.content))}
        headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        await self._send({"type": "http.response.start", "status": 503, "headers": headers})
        await self._send({"type": "http.response.body", "body": problem.content, "more_body": False})
