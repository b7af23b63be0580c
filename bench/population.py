"""The database's content before the measurements. It is created once with COPY, kept as a template, and identical in
every run: ids are derived from numbers.

- ring: groups of 20 (an owner and 19 neighbours), each neighbour in 19 of them; for sends to many conversations
- hall: one group of all the ring's users, each of whom is therefore in 20 conversations
- desks: groups of 20 users who are in no other conversation; one per sending socket, and the first for other sends
- shelves: 50 long conversations, shared by 20 readers; for the list
- alone: conversations with only the owner and no messages, for measuring Postgres alone
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import psycopg

GROUP = 20
UNREAD = 20
TEXT = "Message {} of this conversation: as long as people's messages are on the whole, a line or so."
FAR = "2100-01-01 00:00:00+00"
DIGEST = "\\\\x" + "00" * 16


class Scale(msgspec.Struct, frozen=True):
    ring: int = 1_000
    desks: int = 64
    shelves: int = 50
    messages: int = 100
    shelf_messages: int = 10_000
    first: int = 0  # number of the first shelf: databases that share a Redis must not share conversation ids

    @property
    def name(self) -> str:
        return "_".join(map(str, msgspec.structs.astuple(self)))


FULL = Scale()
QUICK = Scale(ring=40, desks=8, messages=60, shelf_messages=100)


def _id(kind: int, number: int) -> UUID:
    return UUID(int=(0x0190_0000 | kind) << 96 | 0x7 << 76 | 0x2 << 62 | number)


def user(number: int) -> UUID:
    return _id(1, number)


def login(number: int) -> UUID:
    return _id(2, number)


def ring(number: int) -> UUID:
    return _id(3, number)


def desk(number: int) -> UUID:
    return _id(4, number)


def alone(number: int) -> UUID:
    return _id(6, number)


HALL = _id(7, 0)


class Population:
    """Users by number: 0 … ring-1 are the ring's, then follow its owner, the desks' users and the readers."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self.owner = scale.ring
        self._desks = scale.ring + 1
        self._readers = self._desks + scale.desks * GROUP
        self.people = self._readers + GROUP

    def neighbours(self, number: int) -> list[int]:
        """Returns the members of ring conversation `number` without the owner."""
        return [(number + step) % self.scale.ring for step in range(GROUP - 1)]

    def colleagues(self, number: int) -> list[int]:
        """Returns the members of desk `number`."""
        first = self._desks + number * GROUP
        return list(range(first, first + GROUP))

    def readers(self) -> list[int]:
        return list(range(self._readers, self._readers + GROUP))

    def shelf(self, number: int) -> UUID:
        return _id(5, self.scale.first + number)

    def conversations(self) -> Iterator[tuple[UUID, list[int], int]]:
        """Yields each conversation's id, members and number of messages."""
        for number in range(self.scale.ring):
            yield ring(number), [self.owner, *self.neighbours(number)], self.scale.messages
            yield alone(number), [self.owner], 0
        for number in range(self.scale.desks):
            yield desk(number), self.colleagues(number), self.scale.messages
        for number in range(self.scale.shelves):
            yield self.shelf(number), self.readers(), self.scale.shelf_messages
        if self.scale.ring:
            yield HALL, list(range(self.scale.ring)), self.scale.messages


def fill(
    connection: psycopg.Connection[tuple[object, ...]], population: Population, report: Callable[[str], None]
) -> None:
    """Fills a migrated, empty database. `connection` is in autocommit mode. `report` receives progress lines."""
    conversations = list(population.conversations())
    _copy(
        connection,
        "users (id, email, first_name, last_name, password_hash)",
        (f"{user(n)}\tp{n}@example.org\tPerson{n}\tof the bench\t!\n" for n in range(population.people)),
    )
    _copy(
        connection,
        "login_sessions (id, user_id, expires_at)",
        (f"{login(n)}\t{user(n)}\t{FAR}\n" for n in range(population.people)),
    )
    _copy(
        connection,
        "conversations (id, kind, name, is_private, created_by, creator_id, updated_at, last_seq, position,"
        " meta_position, member_count, active_bucket)",
        _conversation_lines(conversations),
    )
    _copy(
        connection,
        "memberships (conversation_id, user_id, role, read_seq, created_position, position, changed_bucket)",
        _membership_lines(conversations),
    )
    _copy(
        connection,
        "messages (conversation_id, seq, id, sender_id, created_position, position, message_type, text, client_id,"
        " digest, sent_at, updated_at)",
        _message_lines(conversations, report),
    )
    connection.execute("VACUUM (ANALYZE, FREEZE)")


Conversations = list[tuple[UUID, list[int], int]]


def _conversation_lines(conversations: Conversations) -> Iterator[str]:
    now = datetime.now(UTC)
    for number, (id_, members, messages) in enumerate(conversations):
        creator, at = user(members[0]), now - timedelta(seconds=number)
        position = len(members) + messages
        yield (
            f"{id_}\tgroup\tConversation {number}\tt\t{creator}\t{creator}\t{at.isoformat()}\t{messages}\t{position}\t1"
            f"\t{len(members)}\t0\n"
        )


def _membership_lines(conversations: Conversations) -> Iterator[str]:
    for id_, members, messages in conversations:
        read = max(0, messages - UNREAD)
        for place, number in enumerate(members, start=1):
            role = "admin" if place == 1 else "member"
            yield f"{id_}\t{user(number)}\t{role}\t{read}\t{place}\t{place}\t0\n"


def _message_lines(conversations: Conversations, report: Callable[[str], None]) -> Iterator[str]:
    number = 0
    total = sum(messages for _, _, messages in conversations)
    now = datetime.now(UTC).isoformat()
    for id_, members, messages in conversations:
        senders = [str(user(one)) for one in members]
        for seq in range(1, messages + 1):
            number += 1
            if number % 500_000 == 0:
                report(f"  {number:,} of {total:,} messages")
            position = len(members) + seq
            yield (
                f"{id_}\t{seq}\t{_id(8, number)}\t{senders[seq % len(senders)]}\t{position}\t{position}\ttext"
                f"\t{TEXT.format(seq)}\tseed-{seq}\t{DIGEST}\t{now}\t{now}\n"
            )


def _copy(connection: psycopg.Connection[tuple[object, ...]], into: str, lines: Iterable[str]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN".encode()) as copy:
        block: list[str] = []
        for line in lines:
            block.append(line)
            if len(block) == 2_000:
                copy.write("".join(block))
                block.clear()
        copy.write("".join(block))
