"""Keeps a socket open for the lifetime of the client: connects, reads `hello`, follows events, and reconnects.

One task reads. It puts each event into the caller's queue and waits while the queue is full, so a caller that does not
read stalls the socket. The server then closes it (4408), and the client requests the missed events once the caller
reads again. Nothing but the queue is buffered.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from chat_client.errors import LoginEnded, Refused, Throttled, Unreachable
from chat_client.events import Disconnected, Event
from chat_client.login import Login
from chat_client.pauses import TOO_MANY, Pace, Pauses
from chat_client.rows import Json
from chat_client.view import View

OPEN_SECONDS: Final = 10.0
HELLO_SECONDS: Final = 20.0
PING_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 2.0
LARGEST_FRAME: Final = 16 * 1024 * 1024
MAX_PENDING_REQUESTS: Final = 256
NOT_AUTHENTICATED: Final = 4401
REFUSED: Final = 4403
WAIT: Final = 5.0
RESUMED_TOGETHER: Final = 2_000
"""Conversations per `resume`: with positions of any length they fit into a frame of 128 KiB."""

Emit = Callable[[Event], Awaitable[None]]


class Link:
    """`run` is the client's background task. `request` sends a frame and waits for the response."""

    def __init__(self, url: str, login: Login, view: View, emit: Emit, load: Callable[[str], None]) -> None:
        self._url = url.rstrip("/").replace("http", "ws", 1) + "/ws/conversations"
        self._login, self._view, self._emit, self._load = login, view, emit, load
        self._pauses = Pauses()
        self._refs = itertools.count(1)
        self._answers: dict[str, asyncio.Future[Json]] = {}
        self._socket: ClientConnection | None = None
        self._pace, self._bytes = Pace(25), Pace(200_000)
        self._together = RESUMED_TOGETHER
        self.is_open = False
        """Whether `hello` has arrived and frames are being read."""

    async def run(self) -> None:
        """Connects and reconnects for ever. Raises LoginEnded, or Refused if reconnecting would not help."""
        while True:
            began = asyncio.get_running_loop().time()
            code, least = await self._once()
            if code == REFUSED:
                raise Refused("refused", "The server does not take this client.", status=403)
            pause = least + self._pauses.after(code, asyncio.get_running_loop().time() - began)
            await self._emit(Disconnected(code, pause))
            await asyncio.sleep(pause)

    async def say(self, frame: Json) -> None:
        """Sends a frame that has no response. Drops it if the socket is not open."""
        if self._socket is not None and self.is_open:
            with suppress(ConnectionClosed, Unreachable):
                await self._send(frame)

    async def request(self, frame: Json) -> Json:
        """Sends a frame and returns its response: `ack`, `error` or `throttled`. Raises Unreachable without a socket,
        with too many frames unanswered, or if the socket closes first."""
        if self._socket is None or len(self._answers) >= MAX_PENDING_REQUESTS:
            raise Unreachable("no socket")
        ref = f"c{next(self._refs)}"
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._answers[ref] = answer
        try:
            await self._send({**frame, "ref": ref})
            return await answer
        except ConnectionClosed as error:
            raise Unreachable("the socket ended") from error
        finally:
            self._answers.pop(ref, None)
            if answer.done() and not answer.cancelled():
                answer.exception()  # retrieve it, so that asyncio does not warn if sending failed first

    async def follow(self) -> None:
        """Requests the events that the view has missed, in as many `resume` frames as needed."""
        while self._view.missed and self._socket is not None:
            ref = f"c{next(self._refs)}"
            if positions := self._view.begin_resume(ref, self._together):
                await self.say({"type": "resume", "ref": ref, "conversations": positions})

    async def _send(self, frame: Json) -> None:
        """Sends within the server's rate limits. Raises ConnectionClosed, or Unreachable if the socket closed first."""
        text = json.dumps(frame, separators=(",", ":"))
        await self._pace.turn()
        await self._bytes.turn(len(text))
        if self._socket is None:
            raise Unreachable("the socket ended")
        await self._socket.send(text)

    async def _once(self) -> tuple[int, float]:
        """Runs one socket. Returns its close code and the minimum number of seconds to wait."""
        access = self._login.access
        try:
            access = await self._login.fresh()
            session = self._login.session
            async with connect(
                self._url,
                additional_headers={"Authorization": f"Bearer {access}"},
                open_timeout=OPEN_SECONDS,
                close_timeout=CLOSE_SECONDS,
                ping_interval=PING_SECONDS,
                ping_timeout=PING_SECONDS,
                max_size=LARGEST_FRAME,
                max_queue=16,
                compression=None,
            ) as socket:
                await self._converse(socket, access, session)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd is not None else 1006
            if code == NOT_AUTHENTICATED:
                return await self._renewed(access)
            return code, WAIT if code == TOO_MANY else 0.0
        except Throttled as throttled:
            return TOO_MANY, throttled.retry_after
        except Refused as refused:
            return 1006, refused.retry_after
        except (OSError, TimeoutError, WebSocketException, Unreachable):
            return 1006, 0.0
        return 1006, 0.0

    async def _renewed(self, access: str) -> tuple[int, float]:
        """Renews a token that the server rejected. Returns as `_once`."""
        try:
            await self._login.renew(access)
        except Refused as refused:
            return NOT_AUTHENTICATED, refused.retry_after
        except Unreachable:
            pass
        return NOT_AUTHENTICATED, 0.0

    async def _converse(self, socket: ClientConnection, access: str, session: int) -> None:
        self._view.connected()
        self._socket = socket
        keeping = asyncio.create_task(self._keep_fresh(socket, access, session))
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                hello = json.loads(await socket.recv())
            limits = hello["limits"]
            self._pace = Pace(limits["frames_per_second"] / 2)
            # Older servers do not send these two limits.
            self._bytes = Pace(limits.get("bytes_per_second", 400_000) / 2)
            self._together = min(RESUMED_TOGETHER, limits.get("resume_conversations", RESUMED_TOGETHER))
            self.is_open = True
            await self._take(hello)
            while True:
                await self._take(json.loads(await socket.recv()))
        except (KeyError, TypeError, ValueError) as error:
            # Not a frame of the protocol, so from a foreign or broken server. Reconnecting starts afresh.
            raise Unreachable("not understood") from error
        except asyncio.CancelledError:
            await socket.close()  # with 1000: `connect` closes with 1011, a fault, after any exception
            raise
        finally:
            self._socket, self.is_open = None, False
            keeping.cancel()
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(Unreachable("the socket ended"))
            await asyncio.gather(keeping, return_exceptions=True)

    async def _take(self, frame: Json) -> None:
        answer = self._answers.get(str(frame.get("ref")))
        if answer is not None and not answer.done() and frame["type"] in ("ack", "error", "throttled"):
            answer.set_result(frame)
        for event in self._view.take(frame):
            await self._emit(event)
        while self._view.resets:
            self._load(self._view.resets.pop())
        if not frame.get("next") and frame["type"] != "error":
            await self.follow()

    async def _keep_fresh(self, socket: ClientConnection, access: str, session: int) -> None:
        """Sends each new access token to the server, which otherwise closes the socket when the old one expires."""
        while True:
            try:
                following = await self._login.following(access)
                async with asyncio.timeout(OPEN_SECONDS):
                    answer = await self.request({"type": "auth", "token": following})
            except LoginEnded:
                break
            except (Unreachable, Refused, TimeoutError):
                await asyncio.sleep(self._pauses.next())
                continue
            if answer["type"] != "ack" or session != self._login.session:
                break  # a new login needs a new socket
            access = following
        await socket.close()
