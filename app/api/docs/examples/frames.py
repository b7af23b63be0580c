"""An example of every frame, by message name; it continues the story of `rest` on the socket.

`tests/api/docs/test_asyncapi.py` validates each against its schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, cast

import msgspec

from app.api.docs.examples.rest import ADA, ANSWERS, CONVERSATION, GRACE, LOGIN, NINE, TOKEN
from app.domain.conversations.schemas import ConversationFacts, Member, MemberPage
from app.domain.error_catalogue import CATALOGUE
from app.domain.inbox.schemas import ConversationPage
from app.domain.messages.schemas import Message

Json = dict[str, Any]

_message = cast("Message", ANSWERS["Message"])
_line = cast("ConversationPage", ANSWERS["ConversationPage"]).items[0]
_grace: Member = cast("MemberPage", ANSWERS["MemberPage"]).items[1]
_facts = ConversationFacts(
    id=CONVERSATION,
    kind="group",
    name="Engine hall",
    is_private=True,
    created_by=ADA.id,
    creator=ADA.id,
    created_at=NINE - timedelta(days=1),
    updated_at=NINE,
    deleted_at=None,
)


def _change(kind: str, data: msgspec.Struct, position: int = 17, prev: int = 16) -> Json:
    return {"type": kind, "conversation": CONVERSATION, "position": position, "prev": prev, "data": data}


def _message_as(**fields: Any) -> Message:
    return msgspec.structs.replace(_message, position=18, **fields)


def _member_as(**fields: Any) -> Member:
    return msgspec.structs.replace(_grace, **fields)


EXAMPLES: Final[Mapping[str, Json]] = {
    "client.send": {
        "type": "send",
        "ref": 1,
        "conversation": CONVERSATION,
        "message_type": "text",
        "text": _message.text,
        "client_id": "7f3c",
    },
    "client.read": {"type": "read", "ref": 2, "conversation": CONVERSATION, "seq": 12},
    "client.typing": {"type": "typing", "conversation": CONVERSATION},
    "client.presence": {"type": "presence", "ref": 3, "conversation": CONVERSATION},
    "client.resume": {"type": "resume", "ref": 4, "conversations": {CONVERSATION: 17}},
    "client.auth": {"type": "auth", "ref": 5, "token": TOKEN},
    "client.ping": {"type": "ping", "ref": 6},
    "hello": {
        "type": "hello",
        "session": LOGIN,
        "user": ADA.id,
        "heartbeat": 20,
        "limits": {
            "frame_bytes": 131_072,
            "text_characters": 8_000,
            "resume_changes": 1_000,
            "frames_per_second": 50,
            "bytes_per_second": 409_600,
            "burst_seconds": 2,
            "resume_conversations": 3_000,
            "resumes": 16,
            "resuming_conversations": 6_000,
            "sockets": 20,
            "typing_per_second": 5,
            "reads_per_second": 10,
            "small_members": 200,
            "unread_bytes": 917_504,
            "unread_frames": 1_000,
            "malformed_frames": 10,
            "malformed_seconds": 10,
        },
        "conversations": [_line],
        "next": False,
    },
    "conversations": {"type": "conversations", "conversations": [_line], "next": False},
    "message.created": _change("message.created", _message),
    "message.updated": _change("message.updated", _message_as(text="The engine is on the table."), 18, 17),
    "message.deleted": _change("message.deleted", _message_as(text="", deleted_at=NINE), 18, 17),
    "conversation.created": _change("conversation.created", _line, prev=0),
    "conversation.updated": _change("conversation.updated", _facts),
    "conversation.deleted": _change("conversation.deleted", msgspec.structs.replace(_facts, deleted_at=NINE)),
    "member.joined": _change("member.joined", _member_as(by=None)),
    "member.added": _change("member.added", _grace),
    "member.left": _change("member.left", _member_as(left_at=NINE, by=None)),
    "member.removed": _change("member.removed", _member_as(left_at=NINE)),
    "member.promoted": _change("member.promoted", _member_as(role="admin")),
    "member.demoted": _change("member.demoted", _grace),
    "member.updated": _change("member.updated", _member_as(by=None)),
    "read": {"type": "read", "conversation": CONVERSATION, "user": GRACE.id, "seq": 12},
    "typing": {"type": "typing", "conversation": CONVERSATION, "user": GRACE.id, "expires_in": 10},
    "presence": {"type": "presence", "conversation": CONVERSATION, "user": GRACE.id, "online": True},
    "notification": {"type": "notification", **msgspec.to_builtins(ANSWERS["NotificationPage"])["items"][0]},
    "broadcast": {
        "type": "broadcast",
        "id": LOGIN,
        "title": "Maintenance tonight",
        "text": "The chat is away from 22:00 to 22:10 UTC.",
        "sent_at": NINE,
    },
    "access.revoked": {"type": "access.revoked", "conversation": CONVERSATION, "reason": "removed"},
    "ack.send": {"type": "ack", "ref": 1, "data": _message},
    "ack.read": {"type": "ack", "ref": 2, "data": {"read_seq": 12, "unread": 0}},
    "ack.presence": {"type": "ack", "ref": 3, "data": {"online": [ADA.id]}},
    "ack.auth": {"type": "ack", "ref": 5},
    "error": {
        "type": "error",
        "ref": 2,
        "code": "invalid_seq",
        "detail": CATALOGUE["invalid_seq"].detail,
        "errors": [{"field": "seq", "message": "Must be between 0 and 12."}],
    },
    "throttled": {"type": "throttled", "ref": 1, "policy": "messages", "retry_after": 12},
    "caught_up": {"type": "caught_up", "ref": 4, "positions": {CONVERSATION: 18}},
    "reset": {"type": "reset", "ref": 4, "conversation": CONVERSATION},
    "pong": {"type": "pong", "ref": 6},
}
