"""Sending: one call of `send_messages` (see alembic/sql) stores a batch of drafts and checks each one independently.

The function locks the conversations in id order, then checks and writes on a fresh snapshot. This module turns its rows
into outcomes and records the stored messages. Callers fold equal keys (conversation, sender, client_id) beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, TextClause, Uuid, and_, bindparam, func, text
from sqlalchemy.dialects.postgresql import ARRAY

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
from app.domain.messages.content import MessageBody, checked_body
from app.domain.messages.mentions import Names
from app.domain.messages.message_projection import as_message, messages
from app.domain.messages.models import MessageRow
from app.domain.orm import Reader, uuid7
from app.domain.users.caller import Caller


class Draft(msgspec.Struct, frozen=True):
    """A message to send, with a checked body.

    The server generates `id` once per draft, and `uq_messages_conversation_id_id` rejects a second row with it. So a
    draft without a `client_id` cannot be stored twice either, however often the write is retried. Clients never supply
    a message's id, so they cannot forge it.
    """

    conversation: UUID
    sender: UUID
    session: UUID
    body: MessageBody
    id: UUID = msgspec.field(default_factory=uuid7)

    @property
    def key(self) -> tuple[UUID, UUID, str] | None:
        """Identifies a retry of the same message. None if the client gave no `client_id`."""
        client_id = self.body.client_id
        return None if client_id is None else (self.conversation, self.sender, client_id)


class Sent(msgspec.Struct, frozen=True):
    """A message in the log, as JSON. `replayed`: it was stored before, and this is its current state."""

    message: bytes
    replayed: bool


class Replay(msgspec.Struct, frozen=True):
    """The message was stored before. `read_replays` reads its current state."""

    conversation: UUID
    seq: int


class SendThrottled(msgspec.Struct, frozen=True):
    """The sender exceeded the send limit, so the draft was only looked up, and no replay was found."""


class AutocommitExecutor(events.PendingChanges, Protocol):
    """Runs the single statement of a batch, in a session's transaction or in autocommit."""

    async def execute(self, statement: TextClause, parameters: Mapping[str, Any], /) -> Iterable[Any]: ...


Outcome = Sent | Replay | SendThrottled | ChatError


REFUSALS: dict[str, Callable[[], ChatError]] = {
    "unauthenticated": not_authenticated,
    "not_found": conversation_not_found,
    "forbidden": members_only,
    "mismatch": idempotency_mismatch,
    "bad_reply": unknown_reply,
}
"""Constructors, because an exception raised twice keeps and extends its traceback."""


class Entry(msgspec.Struct, frozen=True):
    """What `send_messages` reads of a draft beside its body. `lookup`: only look for a replay, do not store."""

    id: UUID
    conversation: UUID
    sender: UUID
    session: UUID
    digest: str | None
    lookup: bool
    names: str | None


SEND = text(
    "SELECT outcome, seq, position, sent_at, first_name, last_name, last_seq, edited_position, shown"
    " FROM send_messages(CAST(:conversations AS uuid[]), CAST(:drafts AS json), CAST(:bodies AS json))"
)

_STORED = (
    func.unnest(bindparam("conversations", type_=ARRAY(Uuid())), bindparam("seqs", type_=ARRAY(BigInteger())))
    .table_valued("conversation_id", "seq", name="stored")
    .render_derived()
)
_REPLAYS = messages().join(
    _STORED, and_(MessageRow.conversation_id == _STORED.c.conversation_id, MessageRow.seq == _STORED.c.seq)
)

_encode = msgspec.json.Encoder().encode


def draft(conversation: UUID, by: Caller, body: MessageBody, idempotency_key: str | None = None) -> Draft:
    """Checks the body and returns a draft. Raises Invalid, naming the field."""
    return Draft(conversation, by.user, by.session, checked_body(body, idempotency_key))


async def send_batch(
    session: AutocommitExecutor, drafts: Sequence[Draft], lookups: Sequence[bool] | None = None
) -> list[Outcome]:
    """Stores `drafts` in order, or only looks for a replay where `lookups` is true. Returns one outcome for each."""
    names = Names()
    entries = [
        Entry(
            id=draft.id,
            conversation=draft.conversation,
            sender=draft.sender,
            session=draft.session,
            digest=None if draft.body.client_id is None else "\\x" + draft.body.digest().hex(),
            lookup=lookups is not None and lookups[index],
            names=names.lookup(draft.sender, draft.body.text or ""),
        )
        for index, draft in enumerate(drafts)
    ]
    conversations = ",".join([str(conversation) for conversation in {draft.conversation for draft in drafts}])
    # Pass all as text: the driver would inspect each value of an array.
    batch = {
        "conversations": f"{{{conversations}}}",
        "drafts": _encode(entries).decode(),
        "bodies": _encode([draft.body for draft in drafts]).decode(),
    }
    rows = await session.execute(SEND, batch)
    return [_outcome(session, draft, row) for draft, row in zip(drafts, rows, strict=True)]


async def read_replays(reader: Reader, replays: Sequence[Replay]) -> list[Sent]:
    """Returns the current state of each message. A message that was sent once is never gone."""
    wanted = {"conversations": [replay.conversation for replay in replays], "seqs": [replay.seq for replay in replays]}
    found = [as_message(row) for row in await reader.execute(_REPLAYS, wanted)]
    stored = {Replay(message.conversation, message.seq): message for message in found}
    return [Sent(_encode(stored[replay]), replayed=True) for replay in replays]


def _outcome(session: events.PendingChanges, draft: Draft, row: Any) -> Outcome:
    if row.outcome == "stored":
        sender = (draft.sender, row.first_name, row.last_name)
        times = (row.sent_at, row.sent_at, None)
        body = msgspec.structs.astuple(draft.body)
        change = message_projection.message_change(
            "message.created",
            as_message((draft.id, draft.conversation, row.seq, row.position, *sender, *body, *times)),
            prev=row.position - 1,
            last_seq=row.last_seq,
            edited=row.edited_position,
            edited_before=row.edited_position,
            shown=tuple(row.shown or ()),
        )
        events.record(session, change)
        return Sent(change.data, replayed=False)
    if row.outcome == "replayed":
        return Replay(draft.conversation, row.seq)
    return SendThrottled() if row.outcome == "throttled" else REFUSALS[row.outcome]()
