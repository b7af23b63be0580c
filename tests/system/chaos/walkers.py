"""Readers over REST while writers run: pages of messages, members and changes to the end, and looks at the cache."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from contextlib import suppress
from typing import Any, Final

import httpx
import psycopg

from tests.support.client import Person
from tests.system.chaos.record import Peek, Record, Walk
from tests.system.chaos.stage import REQUEST_SECONDS, Stage

PROMISED_SECONDS: Final = 2.0
"""I15: a page from the cache is at most so old."""
PEEKED: Final = 50
"""As many messages as a conversation gets in several times that, or an edit that is late has left the page."""


class Walker:
    """Walks everything, again and again, in small pages, at both processes alternately."""

    def __init__(
        self,
        stage: Stage,
        record: Record,
        person: Person,
        conversations: list[str],
        stable: list[str],
        dice: random.Random,
    ) -> None:
        self._stage, self._record, self._person = stage, record, person
        self._conversations, self._stable, self._dice = conversations, stable, dice
        self._changes: dict[str, int] = dict.fromkeys(conversations, 0)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            conversation = self._dice.choice(self._conversations)
            walk = self._dice.choice((self._messages, self._back, self._members, self._follow))
            with suppress(httpx.HTTPError, AssertionError):
                await walk(f"/conversations/{conversation}", conversation)
            await asyncio.sleep(self._dice.uniform(0.05, 0.3))

    async def _get(self, path: str, **query: Any) -> Any:
        place = self._dice.choice(self._stage.places)
        answer = await self._person.at(place.node).call("GET", path, params=query, timeout=REQUEST_SECONDS)
        self._record.counts["pages"] += 1
        return answer.good()

    async def _messages(self, path: str, conversation: str) -> None:
        """From somewhere to the end, forwards."""
        began, known = time.monotonic(), (await self._get(f"{path}/"))["last_seq"]
        start = after = max(0, known - self._dice.randrange(60))
        items: list[tuple[int, str]] = []
        while True:
            page = await self._get(f"{path}/messages/", after=after, limit=self._dice.choice((3, 20)))
            items += [(message["seq"], message["id"]) for message in page["items"]]
            after = items[-1][0] if items else after
            if not page["has_more"] or len(items) > 300:
                break
        later = await self._later(path, after, known) if len(items) <= 300 else after
        self._note(
            "messages", conversation, items, start=start, reached=after, at_least=known, began=began, later=later
        )

    async def _back(self, path: str, conversation: str) -> None:
        """From the newest page backwards."""
        began, known = time.monotonic(), (await self._get(f"{path}/"))["last_seq"]
        page = await self._get(f"{path}/messages/", limit=7)
        found = page["items"]
        for _ in range(4):
            if not page["has_more"]:
                break
            page = await self._get(f"{path}/messages/", before=found[0]["seq"], limit=7)
            found = page["items"] + found
        items = [(message["seq"], message["id"]) for message in found]
        first, last = (items[0][0] - 1, items[-1][0]) if items else (0, 0)
        later = await self._later(path, last, known)
        self._note("messages", conversation, items, start=first, reached=last, at_least=known, began=began, later=later)

    async def _later(self, path: str, reached: int, known: int) -> int:
        """Where the messages end two seconds later, if pages ended at `reached`, before `known`."""
        if reached >= known:
            return reached
        self._record.counts["pages that ended early"] += 1
        await asyncio.sleep(PROMISED_SECONDS)
        items = (await self._get(f"{path}/messages/", after=reached, limit=100))["items"]
        return int(items[-1]["seq"]) if items else reached

    async def _members(self, path: str, conversation: str) -> None:
        items: list[tuple[int, str]] = []
        query: dict[str, Any] = {"limit": 2}
        while True:
            page = await self._get(f"{path}/members/", **query)
            items += [(0, member["user"]["id"]) for member in page["items"]]
            if page["next"] is None:
                break
            query["cursor"] = page["next"]
        self._note("members", conversation, items, needed=frozenset(self._stable))

    async def _follow(self, path: str, conversation: str) -> None:
        """The changes since the last time, in pages of 3 or 25."""
        known = (await self._get(f"{path}/"))["position"]
        start = after = max(self._changes[conversation], known - 150)
        items: list[tuple[int, str]] = []
        limit = self._dice.choice((3, 25))
        while True:
            page = await self._get(f"{path}/changes/", after=after, limit=limit)
            items += [(item["position"], item["data"]["id"] if "seq" in item["data"] else "") for item in page["items"]]
            after = page["position"]
            if page["complete"] or len(items) > 200:
                break
        self._changes[conversation] = after
        self._note("changes", conversation, items, start=start, reached=after, at_least=known)

    def _note(self, kind: Any, conversation: str, items: list[tuple[int, str]], **fields: Any) -> None:
        self._record.walks.append(Walk(kind=kind, conversation=conversation, items=items, **fields))
        self._record.counts["walks"] += 1


class Peeker:
    """Compares the newest page, which comes from the cache, with Postgres before and after."""

    def __init__(self, stage: Stage, record: Record, person: Person, conversations: list[str]) -> None:
        self._stage, self._record, self._person = stage, record, person
        self._conversations = conversations
        self._looks: dict[str, deque[tuple[float, dict[int, tuple[int, str]]]]] = {
            one: deque(maxlen=40) for one in conversations
        }

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with suppress(psycopg.Error, httpx.HTTPError, AssertionError, TimeoutError):
                async with asyncio.timeout(60):
                    await self._watch(stop)
            await asyncio.sleep(0.5)

    async def _watch(self, stop: asyncio.Event) -> None:
        connection = await psycopg.AsyncConnection.connect(self._stage.url, autocommit=True, connect_timeout=3)
        async with connection:
            while not stop.is_set():
                for conversation in self._conversations:
                    for place in self._stage.places:
                        await self._peek(connection, conversation, place)
                await asyncio.sleep(0.2)

    async def _peek(self, connection: psycopg.AsyncConnection[Any], conversation: str, place: Any) -> None:
        looks = self._looks[conversation]
        began = time.monotonic()
        path = f"/conversations/{conversation}/messages/"
        answer = await self._person.at(place.node).call("GET", path, params={"limit": PEEKED}, timeout=REQUEST_SECONDS)
        if answer.status != 200:
            return
        page = {one["seq"]: (one["position"], one["text"]) for one in answer.body["items"]}
        newer = await rows_from(connection, conversation, min(page, default=0))
        looks.append((time.monotonic(), newer))
        older = next((rows for at, rows in reversed(looks) if at < began - PROMISED_SECONDS), {})
        first = min(page, default=0)
        kept = [{seq: row for seq, row in rows.items() if seq >= first} for rows in (older, newer)]
        self._record.peeks.append(
            Peek(node=place.name, conversation=conversation, page=page, older=kept[0], newer=kept[1])
        )
        self._record.counts["pages compared with Postgres"] += 1


async def rows_from(
    connection: psycopg.AsyncConnection[Any], conversation: str, first: int
) -> dict[int, tuple[int, str]]:
    """Returns the rows from this seq on, including those stored since our last one."""
    rows = await connection.execute(
        "SELECT seq, position, text FROM messages WHERE conversation_id = %s AND seq >= %s ORDER BY seq",
        [conversation, first],
    )
    return {seq: (position, text) for seq, position, text in await rows.fetchall()}
