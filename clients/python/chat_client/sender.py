"""Sends a message under one `client_id`, with as many attempts as needed until a response arrives or time runs out.

It uses the socket while that is open and its frames are being read, otherwise REST. After no response or
`outcome_unknown` it retries with the same `client_id`: the server finds the stored message, or stores it now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from chat_client.errors import AGAIN, LOGIN, OutcomeUnknown, Refused, Throttled, Unreachable
from chat_client.events import Event, ThrottledFor
from chat_client.link import Link
from chat_client.login import Login
from chat_client.pauses import Pauses
from chat_client.rows import Json, Message, row

ATTEMPT_SECONDS: Final = 5.0
"""Timeout of one attempt over the socket."""

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0


class Sender:
    """`is_reading` returns whether the socket's responses are being read at the moment."""

    def __init__(self, link: Link, login: Login, emit: Callable[[Event], None], is_reading: Callable[[], bool]) -> None:
        self._link, self._login, self._emit, self._is_reading = link, login, emit, is_reading

    async def send(self, conversation: str, body: Json, within: float) -> Message:
        """Returns the stored message. `within` is in seconds.

        Raises:
            Refused: it was not stored, and a retry would not help. Throttled: the throttle outlasts `within`.
            OutcomeUnknown: no response arrived in time.
        """
        loop = asyncio.get_running_loop()
        until, pauses, over_rest = loop.time() + within, Pauses(FIRST_PAUSE, LONGEST_PAUSE), False
        while True:
            way = self._over_rest if over_rest or not (self._link.is_open and self._is_reading()) else self._over_socket
            try:
                async with asyncio.timeout_at(until):
                    return row(Message, await way(conversation, body))
            except Throttled as throttled:
                pause = throttled.retry_after
                if loop.time() + pause > until:
                    raise
                self._emit(ThrottledFor(conversation, throttled.policy, pause))
            except Refused as refused:
                if refused.code not in AGAIN and refused.code not in LOGIN:
                    raise
                pause = max(refused.retry_after, pauses.next())
            except (Unreachable, TimeoutError):
                # The socket may be dead: alternate between the two transports.
                over_rest, pause = not over_rest, pauses.next()
            if loop.time() + pause >= until:
                raise OutcomeUnknown(body["client_id"])
            await asyncio.sleep(pause)

    async def _over_rest(self, conversation: str, body: Json) -> Any:
        return await self._login.call("POST", f"/conversations/{conversation}/messages/", body=body)

    async def _over_socket(self, conversation: str, body: Json) -> Any:
        async with asyncio.timeout(ATTEMPT_SECONDS):
            answer = await self._link.request({"type": "send", "conversation": conversation, **body})
        if answer["type"] == "throttled":
            raise Throttled(answer["policy"], answer["retry_after"])
        if answer["type"] == "error":
            if answer["code"] in LOGIN:
                await self._login.renew(self._login.access)
            raise Refused(answer["code"], answer["detail"], errors=answer.get("errors"))
        return answer["data"]
