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
from app.domain.messages.send import draft
from app.realtime.bus.ephemeral_events import Event, Typing
from app.realtime.connection.close_codes import NOT_AUTHENTICATED, RESTARTING
from app.realtime.connection.connection import Connection, ConnectionGone
from app.realtime.frames import client_frames
from app.realtime.frames.answer_frames import (
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
from app.realtime.frames.frame_encoder import frame_of, raw
from app.realtime.hub.catch_up import catch_up
from app.realtime.hub.hub import Hub
from app.realtime.read_marks import ReadMarks
from app.realtime.typing_limits import TypingLimits
from app.store.message_writer import MessageWriter
from app.throttling.limiter import RateLimiter

log = structlog.get_logger(__name__)

Publish = Callable[[Sequence[Event]], Awaitable[None]]
FindOnline = Callable[[Collection[UUID]], Awaitable[set[UUID] | None]]


class CommandContext(NamedTuple):
    """The services that all sockets of a process share."""

    hub: Hub
    database: Database
    writer: MessageWriter
    tokens: Tokens
    publish: Publish
    find_online: FindOnline
    limiter: RateLimiter
    read_marks: ReadMarks
    typing_limits: TypingLimits


class Commands:
    """The actions of one socket. `on_renewed` is called after `auth` has renewed its access token."""

    __slots__ = ("_connection", "_context", "_on_renewed", "_resume_lock", "_resumes", "_resuming")

    def __init__(self, connection: Connection, context: CommandContext, on_renewed: Callable[[], None]) -> None:
        self._connection = connection
        self._context = context
        self._on_renewed = on_renewed
        self._resumes: set[asyncio.Task[None]] = set()
        self._resuming = 0
        self._resume_lock = asyncio.Lock()

    async def execute(self, frame: client_frames.AnyClientFrame) -> None:
        """Execute one frame and answer it.

        Raises:
            ConnectionGone: the socket is closed. Every other error becomes an answer.
        """
        try:
            await self._execute(frame)
        except ChatError as error:
            self._send_error(error, frame.ref)
        except ConnectionGone:
            raise
        except Exception:
            log.exception("frame_failed", kind=type(frame).__name__)
            self._connection.put(
                frame_of(ErrorFrame(ref=frame.ref, code="internal", detail="Something went wrong here."))
            )

    async def stop(self) -> None:
        for task in self._resumes:
            task.cancel()
        await asyncio.gather(*self._resumes, return_exceptions=True)

    async def _execute(self, frame: client_frames.AnyClientFrame) -> None:
        match frame:
            case client_frames.Ping():
                self._connection.put(frame_of(Pong(ref=frame.ref)))
            case client_frames.Send():
                await self._send(frame)
            case client_frames.Read():
                await self._read(frame)
            case client_frames.Type():
                await self._typing(frame)
            case client_frames.WhoIsHere():
                await self._presence(frame)
            case client_frames.Auth():
                self._authenticate(frame)
            case client_frames.Resume():
                self._resume(frame)

    async def _send(self, frame: client_frames.Send) -> None:
        sent = await self._context.writer.send(draft(frame.conversation, self._connection.caller, frame))
        self._connection.put(frame_of(SendAck(ref=frame.ref, data=raw(sent.message))))

    async def _read(self, frame: client_frames.Read) -> None:
        await self._context.read_marks.mark(
            self._connection.user, frame.conversation, frame.seq, partial(self._answer_read, frame.ref)
        )

    def _answer_read(self, ref: client_frames.Ref, outcome: ReadState | ChatError) -> None:
        if isinstance(outcome, ChatError):
            self._send_error(outcome, ref)
        elif ref is not None:
            self._connection.put(frame_of(ReadAck(ref=ref, data=outcome)))

    async def _typing(self, frame: client_frames.Type) -> None:
        if frame.conversation not in self._connection.rooms:
            raise conversation_not_found()
        if await self._context.typing_limits.allows(self._connection.user, frame.conversation):
            await self._context.publish([Typing(conversation=frame.conversation, user=self._connection.user)])

    async def _presence(self, frame: client_frames.WhoIsHere) -> None:
        # It counts as a request of the user.
        await self._context.limiter.count_user(str(self._connection.user))
        async with self._context.database.transaction() as session:
            audience = await presence_audience(session, frame.conversation, self._connection.user)
        online_users = await self._context.find_online(audience)
        online = None if online_users is None else [user for user in audience if user in online_users]
        self._connection.put(frame_of(PresenceState(ref=frame.ref, data=PresenceAck(online=online))))

    def _authenticate(self, frame: client_frames.Auth) -> None:
        caller = self._context.tokens.verify(frame.token, "access").caller()
        if (caller.user, caller.session) != (self._connection.user, self._connection.caller.session):
            raise another_login()
        self._connection.caller = caller
        self._on_renewed()
        self._connection.put(frame_of(AuthAck(ref=frame.ref)))

    def _resume(self, frame: client_frames.Resume) -> None:
        waiting = self._resuming + len(frame.conversations)
        if (
            len(self._resumes) >= client_frames.MAX_PENDING_RESUMES
            or waiting > client_frames.MAX_RESUMING_CONVERSATIONS
        ):
            raise too_many_resumes()
        for conversation in frame.conversations:
            # Live events stop now, although the catch-up may have to wait for its turn.
            self._context.hub.pause(self._connection, conversation)
        self._resuming = waiting
        task = asyncio.create_task(self._catch_up(frame))
        self._resumes.add(task)
        task.add_done_callback(self._resumes.discard)

    async def _catch_up(self, frame: client_frames.Resume) -> None:
        positions: dict[UUID, int] = {}
        try:
            async with self._resume_lock:
                for conversation, position in frame.conversations.items():
                    outcome, reached = await catch_up(
                        self._context.hub, self._connection, conversation, position, frame.ref
                    )
                    if outcome != "revoked":
                        positions[conversation] = reached
                self._connection.put(frame_of(CaughtUp(ref=frame.ref, positions=positions)))
        except ConnectionGone:
            return
        except Exception:
            # Part of the answer was sent: the client has to reconnect and resume again.
            log.exception("resume_failed")
            self._connection.close(RESTARTING, flush=True)
        finally:
            self._resuming -= len(frame.conversations)

    def _send_error(self, error: ChatError, ref: client_frames.Ref) -> None:
        if isinstance(error, Throttled):
            self._connection.put(frame_of(ThrottledFrame(ref=ref, policy=error.policy, retry_after=error.retry_after)))
            return
        field_errors = error.errors if isinstance(error, Invalid) else ()
        errors = [FrameFieldError(field=field, message=message) for field, message in field_errors] or UNSET
        self._connection.put(frame_of(ErrorFrame(ref=ref, code=error.code, detail=error.detail, errors=errors)))
        if type(error) is Unauthenticated and error.code != "invalid_token":
            self._connection.close(NOT_AUTHENTICATED, flush=True)
