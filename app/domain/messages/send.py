"""Sending: one call of `send_messages` (see alembic/sql) stores a batch of drafts and checks each one independently.

The function locks the conversations in id order, then checks and writes on a fresh snapshot. This module turns its rows
into outcomes and records the stored messages. Callers fold equal keys (conversation, sender, client_id) beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Protocol
from uuid import UUID

import msgspec
from sqlalchemy import TextClause, text

from app.domain import events
from app.domain.error_catalogue import (
    conversation_not_found,
    idempotency_mismatch,
    members_only,
    not_authenticated,
    unknown_reply,
)
from app.domain.errors import ChatError
from app.domain.messages import message_projection
from app.domain.messages.content import checked_client_id, checked_content, checked_reply
from app.domain.messages.mentions import Names
from app.domain.messages.schemas import Message, MessageType
from app.domain.orm import uuid7
from app.domain.users.caller import Caller
from app.domain.users.schemas import Person


class Draft(msgspec.Struct, frozen=True):
    """A message to send, with checked content.

    The server generates `id` once per draft, and `uq_messages_conversation_id_id` rejects a second row with it. So a
    draft without a `client_id` cannot be stored twice either, however often the write is retried. Clients never supply
    a message's id, so they cannot forge it.
    """

    conversation: UUID
    sender: UUID
    session: UUID
    message_type: MessageType
    text: str
    media_url: str
    client_id: str | None = None
    reply_to: int | None = None
    id: UUID = msgspec.field(default_factory=uuid7)

    @property
    def key(self) -> tuple[UUID, UUID, str] | None:
        """Identifies a retry of the same message. None if the client gave no `client_id`."""
        return None if self.client_id is None else (self.conversation, self.sender, self.client_id)

    def digest(self) -> bytes:
        """16 bytes of BLAKE2b over the body as sent. The same key with another digest is a different message."""
        body = f"{self.message_type}\0{self.text}\0{self.media_url}\0{self.reply_to or ''}"
        return blake2b(body.encode(), digest_size=16).digest()


class Sent(msgspec.Struct, frozen=True):
    """A message in the log, as JSON. `replayed`: it was stored before, and this is its current state."""

    message: bytes
    replayed: bool


class SendThrottled(msgspec.Struct, frozen=True):
    """The sender exceeded the send limit, so the draft was only looked up, and no replay was found."""


class AutocommitExecutor(events.PendingChanges, Protocol):
    """Runs the single statement of a batch, in a session's transaction or in autocommit."""

    async def execute(self, statement: TextClause, parameters: Mapping[str, Any], /) -> Iterable[Any]: ...


Outcome = Sent | SendThrottled | ChatError


REFUSALS: dict[str, Callable[[], ChatError]] = {
    "unauthenticated": not_authenticated,
    "not_found": conversation_not_found,
    "forbidden": members_only,
    "mismatch": idempotency_mismatch,
    "bad_reply": unknown_reply,
}
"""Constructors, because an exception raised twice keeps and extends its traceback."""


class Entry(msgspec.Struct, frozen=True):
    """A draft as `send_messages` reads it. `lookup`: only look for a replay, do not store."""

    id: UUID
    conversation: UUID
    sender: UUID
    session: UUID
    client_id: str | None
    digest: str | None
    message_type: MessageType
    text: str
    media_url: str
    reply_to: int | None
    lookup: bool
    names: str | None


SEND = text(
    "SELECT outcome, id, seq, position, message_type, body, media_url, reply_to, sent_at, updated_at, deleted_at,"
    " first_name, last_name, last_seq, edited_position, shown"
    " FROM send_messages(CAST(:conversations AS uuid[]), CAST(:drafts AS json))"
)

_encode = msgspec.json.Encoder().encode


def draft(
    conversation: UUID,
    by: Caller,
    message_type: MessageType,
    text: str | None = None,
    media_url: str | None = None,
    client_id: str | None = None,
    reply_to: int | None = None,
    *,
    idempotency_key: str | None = None,
) -> Draft:
    """Checks the content and returns a draft. Raises Invalid, naming the field."""
    text, media_url = checked_content(message_type, text, media_url)
    return Draft(
        conversation=conversation,
        sender=by.user,
        session=by.session,
        message_type=message_type,
        text=text,
        media_url=media_url,
        client_id=checked_client_id(client_id, idempotency_key),
        reply_to=checked_reply(reply_to),
    )


async def send_batch(
    session: AutocommitExecutor, drafts: Sequence[Draft], lookups: Sequence[bool] | None = None
) -> list[Outcome]:
    """Stores `drafts` in order, or only looks for a replay where `lookups` is true. Returns one outcome for each."""
    names = Names()
    entries = [
        Entry(
            id=one.id,
            conversation=one.conversation,
            sender=one.sender,
            session=one.session,
            client_id=one.client_id,
            digest=None if one.client_id is None else "\\x" + one.digest().hex(),
            message_type=one.message_type,
            text=one.text,
            media_url=one.media_url,
            reply_to=one.reply_to,
            lookup=lookups is not None and lookups[at],
            names=names.of(one.sender, one.text),
        )
        for at, one in enumerate(drafts)
    ]
    conversations = ",".join([str(conversation) for conversation in {one.conversation for one in drafts}])
    # Pass both as text: the driver would inspect each value of an array.
    rows = await session.execute(SEND, {"conversations": f"{{{conversations}}}", "drafts": _encode(entries).decode()})
    return [_outcome(session, one, row) for one, row in zip(drafts, rows, strict=True)]


def _outcome(session: events.PendingChanges, one: Draft, row: Any) -> Outcome:
    if row.outcome == "stored":
        message = _message(one, row, one.message_type, one.text, one.media_url, one.reply_to)
        change = message_projection.message_change(
            "message.created",
            message,
            prev=row.position - 1,
            last_seq=row.last_seq,
            edited=row.edited_position,
            edited_before=row.edited_position,
            shown=tuple(row.shown or ()),
        )
        events.record(session, change)
        return Sent(change.data, replayed=False)
    if row.outcome == "replayed":
        message = _message(one, row, row.message_type, row.body, row.media_url, row.reply_to)
        return Sent(_encode(message), replayed=True)
    return SendThrottled() if row.outcome == "throttled" else REFUSALS[row.outcome]()


def _message(
    one: Draft, row: Any, message_type: MessageType, body: str, media_url: str, reply_to: int | None
) -> Message:
    return Message(
        id=row.id,
        conversation=one.conversation,
        seq=row.seq,
        position=row.position,
        sent_by=Person(id=one.sender, first_name=row.first_name, last_name=row.last_name),
        message_type=message_type,
        text=body,
        media_url=media_url,
        client_id=one.client_id,
        reply_to=reply_to,
        sent_at=row.sent_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )
