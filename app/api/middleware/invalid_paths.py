"""Answers 404 for paths that Litestar would mishandle: those with NUL, at which the file system and Postgres would
raise, and its own document pages, which answer unknown paths below theirs with HTML."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

import msgspec

from app.api.errors.problems import MEDIA_TYPE, problem_of
from app.api.middleware.security_headers import Application, Receive, Send
from app.domain.error_catalogue import path_not_found

DOCUMENTS: Final = "/docs/raw"
"""Path of Litestar's own document pages."""

ANSWER: Final = msgspec.json.encode(problem_of(404, path_not_found.code, path_not_found.detail))


class Paths:
    """Wraps the whole application."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not ("\0" in path or path.startswith(DOCUMENTS)):
            await self._app(scope, receive, send)
            return
        await send_not_found(send)


async def send_not_found(send: Send) -> None:
    """Sends the whole response to a path that does not exist."""
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(ANSWER))]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})
