"""Keeps the tokens of one login fresh. At most one refresh runs at a time.

A refresh token is valid once. For ten seconds the server returns the same pair for it again, so a refresh without a
response is retried immediately; if it is refused, the client logs in again with the password, if it has one.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from contextlib import suppress
from typing import Any

from chat_client.errors import LOGIN, LoginEnded, Refused, Unreachable
from chat_client.rest import Rest

ATTEMPTS = 3
AT_ONCE = 0.2
MARGIN = 0.2
"""A token is renewed when this fraction of its lifetime is left."""


class Login:
    """`user` is the id of the logged-in user. `session` counts the logins made so far."""

    def __init__(self, rest: Rest, email: str = "", password: str = "", code: str | None = None) -> None:
        self.access = ""
        self.session = 0
        self.user = ""
        self._rest = rest
        self._proof = {"email": email, "password": password, **({"code": code} if code else {})}
        self._can_return = bool(password) and code is None
        self._refresh = ""
        self._renew_at = 0.0
        self._one_at_a_time = asyncio.Lock()
        self._changed = asyncio.Event()

    async def begin(self) -> None:
        """Logs in with the password. Raises Refused, Unreachable."""
        answer = await self._rest.call("POST", "/login/", body=self._proof)
        self.session += 1
        self.user = answer["user"]["id"]
        self.adopt(answer["access"], answer["refresh"])

    def adopt(self, access: str, refresh: str) -> None:
        """Uses these tokens from now on."""
        self.access, self._refresh = access, refresh
        self._renew_at = asyncio.get_running_loop().time() + _lifetime(access) * (1 - MARGIN)
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def seconds_left(self) -> float:
        """Seconds until the tokens should be renewed."""
        return self._renew_at - asyncio.get_running_loop().time()

    async def fresh(self) -> str:
        """Returns an access token with some lifetime left. Raises LoginEnded, Unreachable, Refused."""
        if self.seconds_left <= 0:
            await self.renew(self.access)
        return self.access

    async def following(self, known: str) -> str:
        """Waits until `known` is due for renewal or has been replaced; returns its successor. Raises as `fresh`."""
        while self.access == known:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self.seconds_left)):
                    await self._changed.wait()
            await self.fresh()
        return self.access

    async def renew(self, spent: str) -> None:
        """Replaces the access token unless it already differs from `spent`. Raises as `fresh`."""
        async with self._one_at_a_time:
            if self.access != spent:
                return
            try:
                pair = await self._refreshed()
            except Refused as refused:
                if refused.status not in (400, 401, 403):
                    raise
                await self._return()
            else:
                self.adopt(pair["access"], pair["refresh"])

    async def call(self, method: str, path: str, *, body: Any = None, query: dict[str, Any] | None = None) -> Any:
        """Like `Rest.call`, authenticated. Renews a rejected token once and retries."""
        access = await self.fresh()
        try:
            return await self._rest.call(method, path, access=access, body=body, query=query)
        except Refused as refused:
            if refused.code not in LOGIN:
                raise
        await self.renew(access)
        return await self._rest.call(method, path, access=self.access, body=body, query=query)

    async def end(self) -> None:
        """Logs out."""
        await self._rest.call("POST", "/logout/", access=self.access)

    async def _refreshed(self) -> Any:
        for attempt in range(ATTEMPTS):
            try:
                return await self._rest.call("POST", "/refresh/", body={"refresh": self._refresh})
            except Unreachable:
                if attempt == ATTEMPTS - 1:
                    raise
                await asyncio.sleep(AT_ONCE)
        raise AssertionError

    async def _return(self) -> None:
        if not self._can_return:
            raise LoginEnded
        try:
            await self.begin()
        except Refused as refused:
            if refused.status in (400, 401, 403):
                raise LoginEnded from refused
            raise


def _lifetime(access: str) -> float:
    """Returns the token's lifetime in seconds. It uses the server's clock only, which may differ from ours."""
    try:
        payload = access.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"]) - float(claims["iat"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return 300.0
