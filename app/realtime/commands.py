"""Executes client frames: one action per frame, in the order received. The domain's rules apply, as in REST."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import NamedTuple
from uuid import UUID

import structlog
from msgspec import UNSET

from app.db import Database
from app.domain.auth.tokens import Tokens
from app.domain.conversations.presence_audience import presence_audience
from app.domain.conversations.schemas import ReadState
from app.domain.error_catalogue import another_login, conversation_not_found, too_many_resumes
from app.domain.errors import ChatError, Invalid, Throttled, Unauthenticated
from app.domain.messages.send import Sender, draft
from app.realtime.bus.ephemeral_events import Event, Typing
from app.realtime.connection.close_codes import NOT_AUTHENTICATED, RESTARTING
from app.realtime.connection.connection import Connection, ConnectionGone
from app.realtime.frames import client_frames
from app.realtime.frames.encoding import frame_of, raw
from app.realtime.frames.server_frames import (
    AuthAck,
    CaughtUp,
    ErrorFrame,
    FrameFieldError,
    Pong,
    PresenceAck,
    PresenceState,
    ReadAck,
    SendAck,
    ThrottledFrame,
)
from app.realtime.handshake import HandshakeLimiter
from app.realtime.hub.catch_up import catch_up
from app.realtime.hub.hub import Hub
from app.realtime.read_marks import ReadMarks
from app.realtime.typing_limits import TypingMarks

log = structlog.get_logger(__name__)

Publish = Callable[[Sequence[Event]], Awaitable[None]]
WhoIsOnline = Callable[[Collection[UUID]], Awaitable[set[UUID] | None]]


class CommandContext(NamedTuple):
    """The services that all sockets of a process share."""

    hub: Hub
    database: Database
    sender: Sender
    tokens: Tokens
    publish: Publish
    online: WhoIsOnline
    requests: HandshakeLimiter
    read_marks: ReadMarks
    typing: TypingMarks


class Commands:
    """The actions of one socket. `renewed` is called after `auth` has renewed its access token."""

    __slots__ = ("_connection", "_means", "_renewed", "_resumes", "_resuming", "_turn")

    def __init__(self, connection: Connection, means: CommandContext, renewed: Callable[[], None]) -> None:
        self._connection = connection
        self._means = means
        self._renewed = renewed
        self._resumes: set[asyncio.Task[None]] = set()
        self._resuming = 0
        self._turn = asyncio.Lock()

    async def obey(self, said: client_frames.Said) -> None:
        """Execute one frame and answer it.

        Raises:
            ConnectionGone: the socket is closed. Every other error becomes an answer.
        """
        try:
            await self._obey(said)
        except ChatError as error:
            self._refuse(error, said.ref)
        except ConnectionGone:
            raise
        except Exception:
            log.exception("frame_failed", kind=type(said).__name__)
            self._connection.put(
                frame_of(ErrorFrame(ref=said.ref, code="internal", detail="Something went wrong here."))
            )

    async def stop(self) -> None:
        for task in self._resumes:
            task.cancel()
        await asyncio.gather(*self._resumes, return_exceptions=True)

    async def _obey(self, said: client_frames.Said) -> None:
        match said:
            case client_frames.Ping():
                self._connection.put(frame_of(Pong(ref=said.ref)))
            case client_frames.Send():
                await self._send(said)
            case client_frames.Read():
                await self._read(said)
            case client_frames.Type():
                await self._type(said)
            case client_frames.WhoIsHere():
                await self._who_is_here(said)
            case client_frames.Auth():
                self._authenticate(said)
            case client_frames.Resume():
                self._resume(said)

    async def _send(self, said: client_frames.Send) -> None:
        sent = await self._means.sender.send(
            draft(
                said.conversation,
                self._connection.caller,
                said.message_type,
                said.text,
                said.media_url,
                said.client_id,
                said.reply_to,
            )
        )
        self._connection.put(frame_of(SendAck(ref=said.ref, data=raw(sent.message))))

    async def _read(self, said: client_frames.Read) -> None:
        await self._means.read_marks.mark(
            self._connection.user, said.conversation, said.seq, partial(self._has_read, said.ref)
        )

    def _has_read(self, ref: client_frames.Ref, outcome: ReadState | ChatError) -> None:
        if isinstance(outcome, ChatError):
            self._refuse(outcome, ref)
        elif ref is not None:
            self._connection.put(frame_of(ReadAck(ref=ref, data=outcome)))

    async def _type(self, said: client_frames.Type) -> None:
        if said.conversation not in self._connection.rooms:
            raise conversation_not_found()
        if await self._means.typing.counts(self._connection.user, said.conversation):
            await self._means.publish([Typing(conversation=said.conversation, user=self._connection.user)])

    async def _who_is_here(self, said: client_frames.WhoIsHere) -> None:
        # It counts as a request of the user.
        await self._means.requests.of_user(str(self._connection.user))
        async with self._means.database.transaction() as session:
            people = await presence_audience(session, said.conversation, self._connection.user)
        here = await self._means.online(people)
        online = None if here is None else [user for user in people if user in here]
        self._connection.put(frame_of(PresenceState(ref=said.ref, data=PresenceAck(online=online))))

    def _authenticate(self, said: client_frames.Auth) -> None:
        caller = self._means.tokens.verify(said.token, "access").caller()
        if (caller.user, caller.session) != (self._connection.user, self._connection.caller.session):
            raise another_login()
        self._connection.caller = caller
        self._renewed()
        self._connection.put(frame_of(AuthAck(ref=said.ref)))

    def _resume(self, said: client_frames.Resume) -> None:
        waiting = self._resuming + len(said.conversations)
        if len(self._resumes) >= client_frames.MOST_RESUMES or waiting > client_frames.MOST_RESUMING:
            raise too_many_resumes()
        for conversation in said.conversations:
            # Live events stop now, although the catch-up may have to wait for its turn.
            self._means.hub.pause(self._connection, conversation)
        self._resuming = waiting
        task = asyncio.create_task(self._catch_up(said))
        self._resumes.add(task)
        task.add_done_callback(self._resumes.discard)

    async def _catch_up(self, said: client_frames.Resume) -> None:
        positions: dict[UUID, int] = {}
        try:
            async with self._turn:
                for conversation, position in said.conversations.items():
                    outcome, told = await catch_up(self._means.hub, self._connection, conversation, position, said.ref)
                    if outcome != "revoked":
                        positions[conversation] = told
                self._connection.put(frame_of(CaughtUp(ref=said.ref, positions=positions)))
        except ConnectionGone:
            return
        except Exception:
            # Part of the answer was sent: the client has to reconnect and resume again.
            log.exception("resume_failed")
            self._connection.close(RESTARTING, flush=True)
        finally:
            self._resuming -= len(said.conversations)

    def _refuse(self, error: ChatError, ref: client_frames.Ref) -> None:
        if isinstance(error, Throttled):
            self._connection.put(frame_of(ThrottledFrame(ref=ref, policy=error.policy, retry_after=error.retry_after)))
            return
        faults = error.errors if isinstance(error, Invalid) else ()
        errors = [FrameFieldError(field=field, message=message) for field, message in faults] or UNSET
        self._connection.put(frame_of(ErrorFrame(ref=ref, code=error.code, detail=error.detail, errors=errors)))
        if type(error) is Unauthenticated and error.code != "invalid_token":
            self._connection.close(NOT_AUTHENTICATED, flush=True)
