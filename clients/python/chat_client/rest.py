"""HTTP requests: each has a deadline, and a refusal by the server raises an error with the reason."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx

from chat_client.errors import Closed, Refused, Throttled, Unreachable

API = "/api/v1"
SECONDS = 10.0


class Rest:
    """`url` is the server's base URL, http or https. `seconds` is the deadline of each request."""

    def __init__(self, url: str, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._http = httpx.AsyncClient(
            base_url=url.rstrip("/") + API, timeout=seconds, limits=httpx.Limits(max_connections=16)
        )

    async def call(
        self, method: str, path: str, *, access: str = "", body: Any = None, query: dict[str, Any] | None = None
    ) -> Any:
        """Sends a request and returns the decoded body, or None if it is empty.

        Raises:
            Unreachable: no response in time. Refused, Throttled: the server refused. Closed: after `close`.
        """
        if self._http.is_closed:
            raise Closed
        headers = {"Authorization": f"Bearer {access}"} if access else {}
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._http.request(method, path, headers=headers, json=body, params=query)
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise Unreachable(f"{method} {path}: {type(error).__name__}") from error
        if answer.status_code >= 400:
            raise _refusal(answer)
        return answer.json() if answer.content else None

    async def close(self) -> None:
        await self._http.aclose()


def _refusal(answer: httpx.Response) -> Refused:
    wait = answer.headers.get("Retry-After", "")
    seconds = float(wait) if wait.isdecimal() else 0.0
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    if answer.status_code == 429:
        policy = re.match(r'"?([\w-]+)', answer.headers.get("RateLimit", ""))
        return Throttled(policy[1] if policy else "requests", max(seconds, 1.0), status=429)
    # A response from elsewhere (such as a proxy's error page) has no code: derive one from the status.
    code = problem.get("code") or ("unavailable" if answer.status_code >= 500 else "refused")
    refused = Refused(
        code, problem.get("detail", answer.reason_phrase), status=answer.status_code, errors=problem.get("errors")
    )
    refused.retry_after = seconds
    return refused
