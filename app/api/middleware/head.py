"""Supports HEAD wherever there is GET: the same response without a body (RFC 9110, 9.3.2). Monitors often use it."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from app.api.middleware.security_headers import Application, Message, Receive, Send


class HeadRequests:
    """Wraps the whole application, whose routes declare no HEAD."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope.get("method") != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            # For HEAD the server omits the body and accepts that it is shorter than `Content-Length`.
            scope["method"] = "HEAD"
            await send(message)

        scope["method"] = "GET"
        await self._app(scope, receive, send_head)
