"""Answers 404 where Litestar, which routes before it authenticates, answers 405 on an operators' path: to anyone but an
operator a 405 would say that the path exists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from app.api.middleware.invalid_paths import send_not_found
from app.api.middleware.security_headers import Application, Message, Receive, Send
from app.api.request import ChatRequest
from app.domain.errors import ChatError

OPERATORS_PATHS: Final = ("/api/v1/ops/", "/api/v1/development")


class OperatorMethods:
    """Wraps the whole application. `ensure_operator` raises a ChatError for anyone else."""

    def __init__(self, app: Application, ensure_operator: Callable[[ChatRequest], Awaitable[None]]) -> None:
        self._app = app
        self._ensure_operator = ensure_operator

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(OPERATORS_PATHS):
            await self._app(scope, receive, send)
            return
        hidden = False

        async def send_unless_hidden(message: Message) -> None:
            nonlocal hidden
            if message["type"] == "http.response.start" and message["status"] == 405:
                try:
                    await self._ensure_operator(ChatRequest(scope))  # type: ignore[arg-type]  # an HTTP scope
                except ChatError:
                    hidden = True
                    await send_not_found(send)
            if not hidden:
                await send(message)

        await self._app(scope, receive, send_unless_hidden)
