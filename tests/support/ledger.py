"""Compares the answers of many sends with the log: no acknowledged message is lost or stored twice."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import httpx
import msgspec
import psycopg

from app.domain.orm import uuid7
from tests.support.client import Answer, Json, Person


class LogState(msgspec.Struct, frozen=True):
    """A conversation's counters and its rows, as the database has them."""

    last_seq: int
    count: int
    highest: int
    position: int

    @property
    def is_whole(self) -> bool:
        return self.last_seq == self.count == self.highest


def log_state(database_url: str, conversation: str) -> LogState:
    """Read past everything of ours."""
    with psycopg.connect(database_url, connect_timeout=3) as connection:
        row = connection.execute(
            "SELECT c.last_seq, count(m.seq), coalesce(max(m.seq), 0), c.position FROM conversations c"
            " LEFT JOIN messages m ON m.conversation_id = c.id WHERE c.id = %s GROUP BY c.id",
            [conversation],
        ).fetchone()
    assert row is not None
    return LogState(*row)


class Ledger:
    """Sends under their client_ids: `acknowledged` with the answer, `refused` with a status, `unknown` without one."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, Json] = {}
        self.refused: dict[str, int] = {}
        self.unknown: dict[str, str] = {}
        self.conversations: dict[str, str] = {}

    async def send(self, sender: Person, conversation: str, text: str = "") -> Answer | None:
        """One message under a new client_id, entered; None when no answer came."""
        client_id = str(uuid7())
        self.conversations[client_id] = conversation
        try:
            answer = await sender.say(conversation, text or client_id, client_id=client_id)
        except httpx.ConnectError:
            return None  # it never left
        except httpx.HTTPError as error:
            self.unknown[client_id] = type(error).__name__
            return None
        self.enter(client_id, answer.status, answer.body)
        return answer

    def enter(self, client_id: str, status: int, body: Any) -> None:
        if status in (200, 201):
            self.acknowledged[client_id] = body
        elif isinstance(body, dict) and body.get("code") == "outcome_unknown":
            self.unknown[client_id] = "outcome_unknown"
        else:
            self.refused[client_id] = status

    async def keep_sending(self, sender: Person, conversation: str, until: asyncio.Event) -> None:
        """One after the other. A process that is away is tried again a moment later."""
        while not until.is_set():
            if await self.send(sender, conversation) is None:
                await asyncio.sleep(0.05)

    async def settle(self, sender: Person) -> None:
        """Every unknown one is sent again under its client_id: this time there is an answer."""
        for client_id in list(self.unknown):
            answer = await sender.say(self.conversations[client_id], client_id, client_id=client_id)
            self.acknowledged[client_id] = answer.good(200, 201)
            del self.unknown[client_id]

    async def sent(self, count: int, within: float = 20) -> None:
        """Until so many more have been acknowledged."""
        goal, deadline = len(self.acknowledged) + count, time.monotonic() + within
        while len(self.acknowledged) < goal:
            assert time.monotonic() < deadline, f"{len(self.acknowledged)} of {goal} acknowledged, {self.unknown}"
            await asyncio.sleep(0.01)

    def problems(self, history: list[Json]) -> list[str]:
        """What is wrong with `history`, all messages of one conversation, seen from here."""
        stored = Counter(message["client_id"] for message in history)
        rows = {message["client_id"]: message for message in history}
        found = [f"{client_id} is stored {count} times" for client_id, count in stored.items() if count > 1]
        if [message["seq"] for message in history] != list(range(1, len(history) + 1)):
            found.append("the seqs are not 1, 2, 3 …")
        for client_id, received in self.acknowledged.items():
            if received["conversation"] != (history[0]["conversation"] if history else received["conversation"]):
                continue
            row = rows.get(client_id)
            if row is None:
                found.append(f"{client_id} was acknowledged and is lost")
            elif any(row[field] != received[field] for field in ("id", "seq", "text")):
                found.append(f"{client_id} was acknowledged as {received} and is {row}")
        found += [f"{client_id} was refused and is stored" for client_id in self.refused if client_id in rows]
        return found
