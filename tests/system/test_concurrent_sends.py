"""Sends that race, over two processes: retries are one message, a removal is a line nothing crosses, no deadlock."""

from __future__ import annotations

import asyncio
import os
import random
import time

from app.domain.orm import uuid7
from tests.support.client import Answer, Json, Person
from tests.support.ledger import Ledger, log_state
from tests.support.servers import count
from tests.system.conftest import Pair

RETRIES = 20
NEIGHBOURS = 200
SECONDS = float(os.environ.get("CHAT_TEST_SECONDS", "4"))
"""How long the two senders meet; the whole promise is shown with 20."""

DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


async def test_simultaneous_retries_store_one_message(pair: Pair, database_url: str) -> None:
    ada, linus = [await pair.one.register(name) for name in ("Ada", "Linus")]
    engines = await ada.converse(linus)
    client_id = str(uuid7())
    nodes = (pair.one, pair.two)
    retries = [ada.at(nodes[at % 2]).say(engines, "once", client_id=client_id) for at in range(RETRIES)]
    neighbours = [
        (ada, linus)[at % 2].at(nodes[at // 2 % 2]).say(engines, f"neighbour {at}", client_id=f"{at}")
        for at in range(NEIGHBOURS)
    ]
    everybody = [*retries, *neighbours]
    random.Random(7).shuffle(everybody)
    answers = await asyncio.gather(*everybody)

    retried = [answer.body for answer in answers if answer.good()["client_id"] == client_id]
    assert len(retried) == RETRIES
    assert len({(message["id"], message["seq"]) for message in retried}) == 1
    assert sorted(map(is_replay, answers)) == [False] * (NEIGHBOURS + 1) + [True] * (RETRIES - 1)
    assert len({answer.body["seq"] for answer in answers}) == NEIGHBOURS + 1
    state = log_state(database_url, engines)
    assert state.is_whole
    assert state.last_seq == NEIGHBOURS + 1

    late = await ada.at(pair.two).say(engines, "once", client_id=client_id)
    assert is_replay(late)
    assert late.body == retried[0]


async def test_another_body_under_the_same_client_id_is_refused(pair: Pair, database_url: str) -> None:
    ada = await pair.one.register("Ada")
    engines = await ada.converse()
    (await ada.say(engines, "once", client_id="mine")).good(201)
    refused = await ada.at(pair.two).say(engines, "twice", client_id="mine")
    assert (refused.problem.status, refused.problem.code) == (422, "idempotency_mismatch")
    assert log_state(database_url, engines).last_seq == 1


async def test_nothing_is_stored_after_a_removal(pair: Pair, database_url: str) -> None:
    ada, linus = [await pair.one.register(name) for name in ("Ada", "Linus")]
    engines = await ada.converse()
    ledger, stop = Ledger(), asyncio.Event()
    async with ada.listening() as to_ada, linus.at(pair.two).listening() as to_linus:
        senders = [
            asyncio.create_task(ledger.keep_sending(linus.at(node), engines, stop))
            for node in (pair.one, pair.two)
            for _ in range(4)
        ]
        for _ in range(5):
            await ada.post(f"/conversations/{engines}/add_member/", user=linus.id)
            await ledger.sent(20)
            await ada.at(pair.two).post(f"/conversations/{engines}/remove_member/", user=linus.id)
            left = log_state(database_url, engines)
            refused = await asyncio.gather(*(linus.at(node).say(engines, "too late") for node in (pair.one, pair.two)))
            assert [answer.problem.status for answer in refused] == [404, 404]
            assert log_state(database_url, engines) == left, "something was stored after the removal"
        stop.set()
        await asyncio.gather(*senders)
        await to_ada.expect("member.removed", position=log_state(database_url, engines).position)
        await to_linus.settle()
        assert stays_out(to_ada.received("message.created", "member.added", "member.removed"), linus)
        assert stays_in(to_linus.received("message.created", "conversation.created", "access.revoked"))
    assert ledger.problems(await ada.history(engines)) == []
    assert not ledger.unknown
    assert set(ledger.refused.values()) == {404}, "the race never happened"


async def test_overlapping_conversations_on_two_processes_never_deadlock(pair: Pair, database_url: str) -> None:
    ada, linus = [await pair.one.register(name) for name in ("Ada", "Linus")]
    conversations = [await ada.converse(linus) for _ in range(3)]
    deadlocks = count(database_url, DEADLOCKS)
    ledger, deadline = Ledger(), time.monotonic() + SECONDS

    async def keep_sending(sender: Person, order: list[str]) -> None:
        while time.monotonic() < deadline:
            # At once, and in opposite orders: one flight of each process wants the same rows.
            await asyncio.gather(*(ledger.send(sender, conversation) for conversation in order))

    there_and_back = (conversations, conversations[::-1])
    await asyncio.gather(
        *(keep_sending(ada, order) for order in there_and_back for _ in range(4)),
        *(keep_sending(linus.at(pair.two), order) for order in there_and_back for _ in range(4)),
    )
    assert (ledger.refused, ledger.unknown) == ({}, {})
    assert len(ledger.acknowledged) > 100
    assert count(database_url, DEADLOCKS) == deadlocks
    for conversation in conversations:
        assert log_state(database_url, conversation).is_whole
        assert ledger.problems(await ada.history(conversation)) == []
    assert sum(log_state(database_url, one).count for one in conversations) == len(ledger.acknowledged)


def is_replay(answer: Answer) -> bool:
    assert answer.status == (200 if answer.headers.get("idempotency-replayed") == "true" else 201)
    return answer.status == 200


def stays_out(changes: list[Json], sender: Person) -> bool:
    """In the log's order the sender says nothing between a removal and the next addition."""
    inside = False
    for change in changes:
        if change["type"] == "message.created":
            if change["data"]["sent_by"]["id"] == sender.id and not inside:
                return False
        else:
            inside = change["type"] == "member.added"
    return True


def stays_in(frames: list[Json]) -> bool:
    """A socket hears messages only between being given the conversation and losing it."""
    inside = False
    for frame in frames:
        if frame["type"] == "message.created":
            if not inside:
                return False
        else:
            inside = frame["type"] == "conversation.created"
    return not inside
