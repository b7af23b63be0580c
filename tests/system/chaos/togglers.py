"""A member is removed, added, promoted and demoted, leaves and joins again, while all members send."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import psycopg

from tests.support.client import Person
from tests.system.chaos.record import Record, Removal
from tests.system.chaos.stage import REQUEST_SECONDS, Place, Stage
from tests.system.chaos.writers import ask

REVOKED_SECONDS: Final = 2.0
"""I7: after so long nothing reaches who was removed."""
DONE: Final = frozenset({"already_member", "not_a_member", "already_admin", "not_an_admin"})
UNSURE_SECONDS: Final = 45.0
"""An addition without an answer may still lie in a process that is stopped, and come true when that goes on."""


class Toggler:
    """One person comes and goes in one public conversation, on the word of its admin or their own."""

    def __init__(
        self, stage: Stage, record: Record, admin: Person, person: Person, conversation: str, dice: random.Random
    ) -> None:
        self.admin, self.person, self.conversation = admin, person, conversation
        self._stage, self._record, self._dice = stage, record, dice
        self._path = f"/conversations/{conversation}"
        self._unsure_until = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await asyncio.sleep(self._dice.uniform(0.3, 1.5))
            await self.toggle(stop if self._dice.random() < 0.6 else None)

    async def toggle(self, away_until: asyncio.Event | None = None) -> bool:
        """Out and in again; whether they were seen to be out. They are a member when it returns.

        With an event they stay away for longer than a removal may take to be felt, unless it comes first.
        """
        for place in self._stage.places:  # so that every process knows them as a reader
            await self._get(place, f"{self._path}/messages/?limit=1")
        removed = self._dice.random() < 0.6
        if removed:
            out = await self._do(self.admin, "remove_member", {"user": self.person.id})
        else:
            out = await self._do(self.person, "leave_conversation", None)
        removal = None
        if out and time.monotonic() > self._unsure_until:
            removal = Removal(
                user=self.person.id,
                conversation=self.conversation,
                gone=time.monotonic(),
                at=datetime.now(UTC).isoformat(),
            )
            self._record.removals.append(removal)
            removal.before = await self._newest()
            if away_until is not None:
                await self._look_in(removal, away_until)
            removal.after = await self._newest()
            removal.back = time.monotonic()
        await self._come_back()
        if self._dice.random() < 0.5:
            await self._do(self.admin, "make_admin", {"user": self.person.id})
            await self._do(self.admin, "remove_admin", {"user": self.person.id})
        if self._dice.random() < 0.3:
            call = self._record.call("rename", self.admin.id, self.conversation)
            name = f"Engines {self._dice.randrange(1000)}"
            await ask(self._record, call, self.admin, self._place(), "PATCH", f"{self._path}/", {"name": name})
        return removal is not None

    async def _come_back(self) -> None:
        while True:
            if self._dice.random() < 0.5:
                back = await self._do(self.admin, "add_member", {"user": self.person.id})
            else:
                back = await self._do(self.person, "join", None)
            if back:
                return
            await asyncio.sleep(0.1)

    async def _do(self, who: Person, verb: str, body: Any) -> bool:
        """Until there is an answer that says it is so."""
        for _ in range(100):
            call = self._record.call(verb, self.person.id, self.conversation)
            await ask(self._record, call, who, self._place(), "POST", f"{self._path}/{verb}/", body)
            if call.outcome == "ok" or call.code in DONE:
                return True
            if call.outcome == "unknown" and verb in ("add_member", "join"):
                self._unsure_until = time.monotonic() + UNSURE_SECONDS
            if call.status in (400, 403, 404, 409):
                return False
            await asyncio.sleep(self._dice.uniform(0.05, 0.3))
        return False

    async def _newest(self) -> int | None:
        """Returns their newest message in the database; None if the database is unavailable."""
        with suppress(psycopg.Error):
            connection = await psycopg.AsyncConnection.connect(self._stage.url, autocommit=True, connect_timeout=3)
            async with connection:
                row = await connection.execute(
                    "SELECT coalesce(max(seq), 0) FROM messages WHERE conversation_id = %s AND sender_id = %s",
                    [self.conversation, self.person.id],
                )
                found = await row.fetchone()
                return int(found[0]) if found else None
        return None

    async def _look_in(self, removal: Removal, until: asyncio.Event) -> None:
        """What an outsider can still read when the time is up: nothing, at any process."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REVOKED_SECONDS * self._record.patience + 0.05):
                await until.wait()
                return
        for place in self._stage.places:
            for path in ("messages/", "changes/"):
                status, _ = await self._get(place, f"{self._path}/{path}")
                if status and status not in (403, 404, 503):
                    removal.leaks.append(f"{path} answered {status} at {place.name}")
            _, body = await self._get(place, "/conversations/")
            if body and any(line["id"] == self.conversation for line in body.get("items", ())):
                removal.leaks.append(f"it was in their list at {place.name}")
            self._record.counts["reads by the removed"] += 3

    async def _get(self, place: Place, path: str) -> tuple[int, Any]:
        try:
            answer = await self.person.at(place.node).call("GET", path, timeout=REQUEST_SECONDS)
        except httpx.HTTPError:
            return 0, None
        return answer.status, answer.body

    def _place(self) -> Place:
        return self._dice.choice(self._stage.places)
