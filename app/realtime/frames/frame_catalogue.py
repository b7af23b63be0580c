"""All frames that a server sends, for the AsyncAPI document, and the answers that each frame of a client may have."""

from __future__ import annotations

import msgspec

from app.realtime.frames.answer_frames import (
    ANSWERS,
    AuthAck,
    CaughtUp,
    ErrorFrame,
    Pong,
    PresenceState,
    ReadAck,
    Reset,
    SendAck,
    ThrottledFrame,
)
from app.realtime.frames.change_frames import DURABLE
from app.realtime.frames.server_frames import EPHEMERAL, SNAPSHOT, AccessRevoked

PUSHED: tuple[type[msgspec.Struct], ...] = (*SNAPSHOT, *DURABLE, *EPHEMERAL, *ANSWERS)
"""Every frame a server sends."""

REPLIES: dict[str, tuple[type[msgspec.Struct], ...]] = {
    "send": (SendAck, ErrorFrame, ThrottledFrame),
    "read": (ReadAck, ErrorFrame, ThrottledFrame),
    "typing": (ErrorFrame,),
    "presence": (PresenceState, ErrorFrame, ThrottledFrame),
    "resume": (CaughtUp, Reset, AccessRevoked, ErrorFrame),
    "auth": (AuthAck, ErrorFrame),
    "ping": (Pong,),
}
"""The possible answers to each type of client frame. The events of a `resume` precede its answer."""
