"""The frames that answer the client: acknowledgements, errors, and the ends of a resume. Each repeats its `ref`."""

from __future__ import annotations

from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from app.domain.conversations.schemas import ReadState
from app.domain.messages.schemas import Message
from app.realtime.frames.client_frames import Ref
from app.realtime.frames.server_frames import ServerFrame


class Answer(ServerFrame, frozen=True, kw_only=True):
    """`ref` is the `ref` of the client frame it answers, or null if that had none."""

    ref: Ref


class SendAck(Answer, frozen=True, kw_only=True, tag="ack"):
    """The answer to `send`: the message as stored."""

    data: Message


class ReadAck(Answer, frozen=True, kw_only=True, tag="ack"):
    """The answer to `read`."""

    data: ReadState


class PresenceAck(msgspec.Struct, frozen=True, kw_only=True):
    """The members who are online, or null if that is unknown."""

    online: list[UUID] | None


class PresenceState(Answer, frozen=True, kw_only=True, tag="ack"):
    """The answer to `presence`."""

    data: PresenceAck


class AuthAck(Answer, frozen=True, kw_only=True, tag="ack"):
    """The answer to `auth`."""


class FrameFieldError(msgspec.Struct, frozen=True, kw_only=True):
    field: str
    message: str


class ErrorFrame(Answer, frozen=True, kw_only=True, tag="error"):
    """The frame was refused. `code` is one of the REST API or `malformed`; `errors` lists invalid fields, if any."""

    code: str
    detail: str
    errors: list[FrameFieldError] | UnsetType = UNSET


class ThrottledFrame(Answer, frozen=True, kw_only=True, tag="throttled"):
    """The limit of `policy` is exceeded and the frame had no effect. Wait `retry_after` seconds."""

    policy: str
    retry_after: int


class CaughtUp(Answer, frozen=True, kw_only=True, tag="caught_up"):
    """Completes a `resume`: your position in each conversation that you still have access to."""

    positions: dict[UUID, int]


class Reset(Answer, frozen=True, kw_only=True, tag="reset"):
    """Too many changes were missed, or the position does not exist yet: reload this conversation."""

    conversation: UUID


class Pong(Answer, frozen=True, kw_only=True, tag="pong"):
    """The answer to `ping`."""


ANSWERS = (SendAck, ReadAck, PresenceState, AuthAck, ErrorFrame, ThrottledFrame, CaughtUp, Reset, Pong)
