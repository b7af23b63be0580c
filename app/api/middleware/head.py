"""HEAD, wherever there is GET: the same answer without its body (RFC 9110, 9.3.2). Who watches a site often asks so."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any

from app.api.middleware.security_headers import Application, Message, Receive, Send


class HeadRequests:
    """Wraps the whole application, which knows a path's methods as they are written and so no HEAD."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope.get("method") != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            # The server goes by the method when it leaves out the body, and allows that it is not as long as announced.
            scope["method"] = "HEAD"
            await send(message)

        scope["method"] = "GET"
        await self._app(scope, receive, send_head)


def allow(methods: Iterable[str]) -> str:
    """The header `Allow` of a path that was written with `methods`."""
    known = set(methods)
    return ", ".join(sorted(known | {"HEAD"} if "GET" in known else known))
