"""The frames a client sends: one closed union, discriminated by `type`. Unknown fields are rejected.

Parsing any input either returns a frame or raises `Malformed`.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta

from app.domain.messages.content import MessageBody

MAX_FRAME_BYTES = 128 * 1024
MAX_RESUMED_CONVERSATIONS = 3_000
"""Conversations per `resume`. An entry takes at least 41 bytes, so `MAX_FRAME_BYTES` allows few more."""

MAX_PENDING_RESUMES = 16
"""Pending `resume` frames per socket."""

MAX_RESUMING_CONVERSATIONS = 2 * MAX_RESUMED_CONVERSATIONS
"""Conversations in all pending `resume` frames of one socket: enough for every conversation a user may have."""

Text = Annotated[str, Meta(max_length=64)]
Ref: TypeAlias = Text | int | None
Counter = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class ClientFrame(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """The answer repeats `ref`."""

    ref: Ref = None


class Send(MessageBody, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="send"):
    """Send a message. The rules of `POST …/messages/` apply."""

    # A struct inherits the fields of one other only, so `ref` stands here again. `conversation` comes first: an error
    # names the first field that is missing.
    conversation: UUID
    ref: Ref = None


class Read(ClientFrame, frozen=True, kw_only=True, tag="read"):
    """Mark the conversation as read up to `seq`."""

    conversation: UUID
    seq: Counter


class Type(ClientFrame, frozen=True, kw_only=True, tag="typing"):
    """The user is typing. Repeat it every few seconds while that continues."""

    conversation: UUID


class WhoIsHere(ClientFrame, frozen=True, kw_only=True, tag="presence"):
    """Request which members of a conversation of up to 200 members are online."""

    conversation: UUID


class Resume(ClientFrame, frozen=True, kw_only=True, tag="resume"):
    """Request the changes missed: each conversation with the client's last position in it."""

    conversations: Annotated[dict[UUID, Counter], Meta(max_length=MAX_RESUMED_CONVERSATIONS)]


class Auth(ClientFrame, frozen=True, kw_only=True, tag="auth"):
    """Renew the socket with a new access token of the same login, before the old one expires."""

    token: str


class Ping(ClientFrame, frozen=True, kw_only=True, tag="ping"):
    """Check that the connection is alive. The server answers with `pong`."""


AnyClientFrame: TypeAlias = Send | Read | Type | WhoIsHere | Resume | Auth | Ping


class _Referring(msgspec.Struct):
    ref: Ref = None


class Malformed(Exception):
    """The input is not a valid frame. `ref` is the client's, if it could be read."""

    def __init__(self, detail: str, ref: Ref = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.ref = ref


_decoder: msgspec.json.Decoder[AnyClientFrame] = msgspec.json.Decoder(AnyClientFrame)
_decode_ref = msgspec.json.Decoder(_Referring).decode


def parse_frame(text: str) -> AnyClientFrame:
    """Parse one frame.

    Raises:
        Malformed: `text` is not a valid frame.
    """
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise Malformed(f"{error}.", _ref_of(text)) from None
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        raise Malformed("A frame is one JSON object with a `type`.") from None


def _ref_of(text: str) -> Ref:
    try:
        return _decode_ref(text).ref
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return None
