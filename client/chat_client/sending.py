"""Sending: one message, one `client_id`, as many attempts as it takes until it is answered or its time is over.

Over the socket while it is open and heard, else over REST. An attempt without an answer is made again with the same
`client_id`: the server finds what was stored, or stores it now. So does `outcome_unknown`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from chat_client.errors import AGAIN, LOGIN, Refused, Throttled, Unreachable, Unsettled
from chat_client.events import Event, ThrottledFor
from chat_client.link import Link
from chat_client.login import Login
from chat_client.pauses import Pauses
from chat_client.rows import Json, Message, row

ATTEMPT_SECONDS: Final = 5.0
"""How long one attempt over the socket may take."""

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0


class Sending:
    """`hears` says whether answers of the socket are read at the moment."""

    def __init__(self, link: Link, login: Login, tell: Callable[[Event], None], hears: Callable[[], bool]) -> None:
        self._link, self._login, self._tell, self._hears = link, login, tell, hears

    async def send(self, conversation: str, body: Json, within: float) -> Message:
        """The message as it is stored.

        Raises:
            Refused: it was not stored, and never will be as it is. Throttled: not within this time.
            Unsettled: nobody knows.
        """
        loop = asyncio.get_running_loop()
        until, pauses, over_rest = loop.time() + within, Pauses(FIRST_PAUSE, LONGEST_PAUSE), False
        while True:
            way = self._over_rest if over_rest or not (self._link.is_open and self._hears()) else self._over_socket
            try:
                async with asyncio.timeout_at(until):
                    return row(Message, await way(conversation, body))
            except Throttled as throttled:
                pause = throttled.retry_after
                if loop.time() + pause > until:
                    raise
                self._tell(ThrottledFor(conversation, throttled.policy, pause))
            except Refused as refused:
                if refused.code not in AGAIN and refused.code not in LOGIN:
                    raise
                pause = max(refused.retry_after, pauses.next())
            except (Unreachable, TimeoutError):
                # The socket may be deaf: the other way next, and then the first again.
                over_rest, pause = not over_rest, pauses.next()
            if loop.time() + pause >= until:
                raise Unsettled(body["client_id"])
            await asyncio.sleep(pause)

    async def _over_rest(self, conversation: str, body: Json) -> Any:
        return await self._login.call("POST", f"/conversations/{conversation}/messages/", body=body)

    async def _over_socket(self, conversation: str, body: Json) -> Any:
        async with asyncio.timeout(ATTEMPT_SECONDS):
            answer = await self._link.ask({"type": "send", "conversation": conversation, **body})
        if answer["type"] == "throttled":
            raise Throttled(answer["policy"], answer["retry_after"])
        if answer["type"] == "error":
            if answer["code"] in LOGIN:
                await self._login.renew(self._login.access)
            raise Refused(answer["code"], answer["detail"], errors=answer.get("errors"))
        return answer["data"]
