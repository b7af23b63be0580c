"""What is so, after the run: the database's rows, and a fresh fetch of everything over REST."""

from __future__ import annotations

from typing import Any

import msgspec
import psycopg

from tests.support.client import Person
from tests.system.chaos.record import Json


class Row(msgspec.Struct, frozen=True):
    """A message, as the database has it."""

    seq: int
    id: str
    sender: str
    client_id: str | None
    text: str
    position: int
    created_position: int
    deleted: bool
    sent_at: str


class Conversation(msgspec.Struct, kw_only=True):
    """`others` are the positions of its memberships and of itself; `members` and `read` are of who is in it now."""

    id: str
    last_seq: int
    position: int
    rows: list[Row]
    others: list[int]
    read: dict[str, int]
    fetched: list[Json]
    members: dict[str, Json]
    pages: dict[str, list[Json]]
    """The newest page as each process gives it."""


class Digest(msgspec.Struct, frozen=True):
    """A mail about the messages of a conversation after `start` up to `end`."""

    user: str
    conversation: str
    start: int
    end: int
    mail: str


class Truth(msgspec.Struct):
    """`lines` are each person's fresh lists: user → conversation → line. `mails`: what became of each, by id."""

    conversations: dict[str, Conversation]
    lines: dict[str, dict[str, Json]]
    mails: dict[str, str | None] = {}
    digests: list[Digest] = []


async def read_truth(url: str, conversations: list[str], witness: list[Person], people: list[Person]) -> Truth:
    """Read when all is quiet. `witness` is one member of all, at each process."""
    found = {}
    for one in conversations:
        rows = _rows(url, one)
        last = rows["last_seq"]
        found[one] = Conversation(
            **rows,
            fetched=await witness[0].history(one),
            members={
                member["user"]["id"]: member
                for member in (await witness[-1].get(f"/conversations/{one}/members/", limit=100))["items"]
            },
            pages={at.node.url: await at.page(one, limit=100) for at in witness},
        )
        assert _rows(url, one)["last_seq"] == last, "somebody still writes"
    lines = {}
    for person in people:
        page = await person.get("/conversations/", limit=100)
        lines[person.id] = {line["id"]: line for line in page["items"] if line["id"] in found}
    return Truth(found, lines, *_mails(url))


def names_are_delivered(url: str) -> bool:
    """Whether every conversation knows how its people are called."""
    with psycopg.connect(url, connect_timeout=3) as connection:
        return not connection.execute("SELECT 1 FROM users WHERE version > told_version LIMIT 1").fetchall()


def _mails(url: str) -> tuple[dict[str, str | None], list[Digest]]:
    with psycopg.connect(url, connect_timeout=3) as connection:
        mails = connection.execute("SELECT id::text, outcome FROM mails").fetchall()
        digests = connection.execute(
            "SELECT user_id::text, conversation_id::text, from_seq, up_to_seq, mail_id::text"
            " FROM notification_decisions WHERE mail_id IS NOT NULL"
        ).fetchall()
    return dict(mails), [Digest(*row) for row in digests]


def _rows(url: str, conversation: str) -> Json:
    with psycopg.connect(url, connect_timeout=3) as connection:

        def ask(query: str) -> list[tuple[Any, ...]]:
            return connection.execute(query.encode(), [conversation]).fetchall()

        ((last_seq, position, meta),) = ask("SELECT last_seq, position, meta_position FROM conversations WHERE id = %s")
        messages = ask(
            "SELECT seq, id, sender_id, client_id, text, position, created_position, deleted_at IS NOT NULL, sent_at"
            " FROM messages WHERE conversation_id = %s ORDER BY created_position"
        )
        memberships = ask("SELECT user_id, position, read_seq, left_at FROM memberships WHERE conversation_id = %s")
    return {
        "id": conversation,
        "last_seq": last_seq,
        "position": position,
        "rows": [
            Row(seq, str(message), str(sender), key, text, at, created, deleted, sent.isoformat())
            for seq, message, sender, key, text, at, created, deleted, sent in messages
        ],
        "others": [meta, *(at for _, at, _, _ in memberships)],
        "read": {str(user): read for user, _, read, left in memberships if left is None},
    }
