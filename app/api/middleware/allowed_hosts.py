"""Refuses a `Host` that is not one of this server's names, so that no link or cache entry contains a foreign one.

Health checks and monitors address a server by IP, so their paths accept any name. Litestar's own check also compares
the port, and its response is not a problem document.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any, Final

import msgspec

from app.api.errors.codes import UNKNOWN_HOST
from app.api.errors.problems import MEDIA_TYPE, problem_of
from app.api.middleware.security_headers import Application, Receive, Send
from app.domain.origins import Hosts

FOR_MACHINES = frozenset({"/livez", "/readyz", "/metrics"})

REFUSAL: Final = msgspec.json.encode(problem_of(*UNKNOWN_HOST))


class AllowedHosts:
    """Wraps the whole application. `hosts` are patterns of `app.domain.origins`."""

    def __init__(self, app: Application, hosts: Sequence[str]) -> None:
        self._app = app
        self._any = "*" in hosts
        self._hosts = Hosts(hosts)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if self._any or scope["type"] == "lifespan" or scope["path"] in FOR_MACHINES or self._known(scope["headers"]):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            # Browsers see the close code only after the handshake is accepted.
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 4403, "reason": UNKNOWN_HOST.code})
        else:
            headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(REFUSAL))]
            await send({"type": "http.response.start", "status": 400, "headers": headers})
            await send({"type": "http.response.body", "body": REFUSAL})

    def _known(self, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        hosts = [value for name, value in headers if name == b"host"]
        return len(hosts) == 1 and self._hosts.allows(hosts[0].decode("latin-1"))
