"""Refuses preflights from origins that may not call the API with a problem document (Litestar's refusal is text)."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, Final

import msgspec

from app.api.errors.codes import FOREIGN_ORIGIN
from app.api.errors.problems import MEDIA_TYPE, problem_of
from app.api.middleware.security_headers import Application, Receive, Send

REFUSAL: Final = msgspec.json.encode(problem_of(*FOREIGN_ORIGIN))


class Preflights:
    """Wraps the whole application. `allowed(origin)` is the check that real requests use."""

    def __init__(self, app: Application, allowed: Callable[[str], bool]) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope.get("method") == "OPTIONS":
            origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
            if origins and not all(map(self._allowed, origins)):
                headers = [
                    (b"content-type", MEDIA_TYPE.encode()),
                    (b"content-length", b"%d" % len(REFUSAL)),
                    (b"vary", b"Origin"),
                ]
                await send({"type": "http.response.start", "status": 400, "headers": headers})
                await send({"type": "http.response.body", "body": REFUSAL})
                return
        await self._app(scope, receive, send)
