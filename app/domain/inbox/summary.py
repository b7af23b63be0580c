"""Conversation summaries: the columns that a statement joins to a conversation, and their conversion to a view.

The list, `hello` and the conversation detail share them. Unread is a subtraction. An outsider of a public conversation
sees no message and no peer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import FromClause, Integer, Select, SQLColumnExpression, literal_column, select, true
from sqlalchemy.orm import aliased

from app.domain.conversations.models import Conversation, Membership
from app.domain.inbox.schemas import ConversationSummary
from app.domain.messages.message_projection import MESSAGE_COLUMNS, SENDER, SENDER_ON_LEAVING, as_message, messages
from app.domain.messages.models import MessageRow
from app.domain.users.models import User
from app.domain.users.schemas import Person

LATEST_FIRST = (Conversation.updated_at.desc(), Conversation.id.desc())
_ONE = literal_column("1", Integer())
"""The limit of each lateral subquery: the planner then looks one row up by key instead of hashing whole tables.

A literal, like every constant here: a parameter whose value the planner must estimate causes a new plan each time.
"""

PEERSHIP = aliased(Membership, name="peership")


def peer_of(user: SQLColumnExpression[UUID], role: SQLColumnExpression[str]) -> FromClause:
    """The other person of a direct `Conversation` in which `user` has `role`."""
    return (
        select(User.id.label("id"), User.first_name.label("first_name"), User.last_name.label("last_name"))
        .join(PEERSHIP, PEERSHIP.user_id == User.id)
        .where(
            Conversation.kind == literal_column("'direct'"),
            PEERSHIP.conversation_id == Conversation.id,
            PEERSHIP.user_id != user,
            role.is_not(None),  # an outsider has no peer
        )
        .limit(_ONE)
        .correlate_except(User, PEERSHIP)
        .lateral("peer")
    )


def _last_message(role: SQLColumnExpression[str], text: SQLColumnExpression[str]) -> FromClause:
    return (
        messages()
        .with_only_columns(
            *(text.label(column.key) if column.key == "message_text" else column for column in MESSAGE_COLUMNS)
        )
        .where(
            MessageRow.conversation_id == Conversation.id,
            MessageRow.seq == Conversation.last_seq,
            role.is_not(None),
        )
        .limit(_ONE)
        .correlate_except(MessageRow, SENDER, SENDER_ON_LEAVING)
        .lateral("last_message")
    )


def with_lines(
    statement: Select[*tuple[Any, ...]],
    user: SQLColumnExpression[UUID],
    role: SQLColumnExpression[str],
    read_seq: SQLColumnExpression[int],
    *,
    text: SQLColumnExpression[str] = MessageRow.text,
) -> Select[*tuple[Any, ...]]:
    """Returns `statement` with the columns of `as_summary` after its own.

    `statement` joins `Conversation` and the membership of `user`, with its `role` and `read_seq`. `text` is the
    expression for the last message's text.
    """
    last, peer = _last_message(role, text), peer_of(user, role)
    return (
        statement.add_columns(
            Conversation.id,
            Conversation.kind,
            Conversation.name,
            Conversation.is_private,
            Conversation.creator_id,
            Conversation.last_seq,
            Conversation.position,
            Conversation.updated_at,
            role,
            read_seq,
            *peer.c,
            *last.c,
        )
        .outerjoin(last, true())
        .outerjoin(peer, true())
    )


def as_summary(values: Iterable[Any]) -> ConversationSummary:
    """The view of the columns that `with_lines` adds, by index."""
    (
        id_, kind, name, is_private, creator, last_seq, position, updated_at,
        role, read_seq, peer, first, last, *message,
    ) = values  # fmt: skip
    return ConversationSummary(
        id=id_,
        kind=kind,
        name=name,
        is_private=is_private,
        creator=creator,
        peer=Person(id=peer, first_name=first, last_name=last) if peer is not None else None,
        role=role,
        unread=last_seq - read_seq if role else 0,
        last_seq=last_seq,
        read_seq=read_seq or 0,
        position=position,
        last_message=as_message(message) if message[0] is not None else None,
        updated_at=updated_at,
    )
