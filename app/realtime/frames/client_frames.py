"""What a client may say on its socket: one closed union, told apart by `type`; unknown fields are refused.

Whatever arrives, reading it ends in a frame or in `Malformed`, never in anything else.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta

from app.domain.messages.schemas import MessageType

MAX_FRAME_BYTES = 128 * 1024
MAX_RESUMED_CONVERSATIONS = 3_000
"""Conversations one `resume` may name. An entry takes 41 bytes at least, so the frame's own limit is never far."""

MOST_RESUMES = 16
"""`resume` frames of one socket that may wait for their turn."""

MOST_RESUMING = 2 * MAX_RESUMED_CONVERSATIONS
"""Conversations that the `resume` frames of one socket may name together while they wait: all that a user may have."""

Text = Annotated[str, Meta(max_length=64)]
Ref: TypeAlias = Text | int | None
Counter = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class ClientFrame(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """`ref` comes back with the answer."""

    ref: Ref = None


class Send(ClientFrame, frozen=True, kw_only=True, tag="send"):
    """A message, by the rules of POST …/messages/."""

    conversation: UUID
    message_type: MessageType
    text: str | None = None
    media_url: str | None = None
    client_id: str | None = None
    reply_to: int | None = None


class Read(ClientFrame, frozen=True, kw_only=True, tag="read"):
    """One has read up to `seq`."""

    conversation: UUID
    seq: Counter


class Type(ClientFrame, frozen=True, kw_only=True, tag="typing"):
    """One types; said again every few seconds while it lasts."""

    conversation: UUID


class WhoIsHere(ClientFrame, frozen=True, kw_only=True, tag="presence"):
    """Who is online in a conversation of up to 200 members?"""

    conversation: UUID


class Resume(ClientFrame, frozen=True, kw_only=True, tag="resume"):
    """Conversations and the position the client has of each."""

    conversations: Annotated[dict[UUID, Counter], Meta(max_length=MAX_RESUMED_CONVERSATIONS)]


class Auth(ClientFrame, frozen=True, kw_only=True, tag="auth"):
    """A fresh access token of the same login, before the old one ends."""

    token: str


class Ping(ClientFrame, frozen=True, kw_only=True, tag="ping"):
    """Is anybody there?"""


Said: TypeAlias = Send | Read | Type | WhoIsHere | Resume | Auth | Ping


class _Referring(msgspec.Struct):
    ref: Ref = None


class Malformed(Exception):
    """Not a frame. `ref` is the client's, where it could be read."""

    def __init__(self, detail: str, ref: Ref = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.ref = ref


_decoder: msgspec.json.Decoder[Said] = msgspec.json.Decoder(Said)
_decode_ref = msgspec.json.Decoder(_Referring).decode


def parse_frame(text: str) -> Said:
    """Raises Malformed."""
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
