"""Complete sends over REST. Every message has a `client_id`, as from clients that retry safely."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from bench.load import NUMBER, Feed, request
from bench.measures import Measure, Plan
from bench.population import TEXT, desk, ring
from bench.processes import Failed
from bench.references import litestar_alone, postgres_alone, textbook
from bench.stage import Stage

MENTION_EVERY = 10


def send(stage: Stage, conversation: UUID, sender: int, to: str = "") -> bytes:
    """Returns the raw request of a new message. Its text starts with `to`."""
    text = (to + TEXT.format("new")).encode()
    body = b'{"message_type":"text","text":"%b","client_id":"bench-%b"}' % (text, NUMBER)
    return request("POST", f"/api/v1/conversations/{conversation}/messages/", stage.token(sender), body)


def textbook_send(stage: Stage, number: int, sender: int) -> bytes:
    """Like `send`, to ring conversation `number` of the textbook app."""
    body = b'{"text":"%b"}' % TEXT.format("new").encode()
    return request("POST", f"/conversations/{ring(number)}/messages/", stage.textbook_token(sender), body)


def to_one(stage: Stage) -> Feed:
    """Returns sends to one group of 20, by each of its members in turn."""
    members = stage.people.colleagues(0)
    return stage.feed("send_to_one", stage.api, [send(stage, desk(0), one) for one in members])


def spread(stage: Stage) -> Feed:
    """Returns sends to random conversations of the ring."""
    return stage.feed("send_spread", stage.api, [send(stage, ring(number), by) for number, by in anywhere(stage)])


def anywhere(stage: Stage) -> Iterator[tuple[int, int]]:
    """Yields random ring conversations, each with a random member."""
    chance = random.Random(1)
    for _ in range(stage.scale.ring * 4):
        number = chance.randrange(stage.scale.ring)
        yield number, chance.choice(stage.people.neighbours(number))


def counted(stage: Stage, feed: Feed, clients: int, *, median_ms: bool = False) -> Measure:
    """Measures sends/s, or the median in milliseconds, and checks the messages stored in Postgres.

    Raises:
        Failed: fewer messages were stored than acknowledged.
    """

    def measure(seconds: float) -> float:
        before = _stored(stage)
        result = feed.play(clients=stage.pace.clients(clients), seconds=seconds)
        if _stored(stage) - before < result.requests:
            raise Failed(f"{result.requests} sends were acknowledged, {_stored(stage) - before} were stored.")
        return result.p50 if median_ms else result.rate

    return measure


def _stored(stage: Stage) -> int:
    return stage.count("SELECT sum(last_seq) FROM conversations")


@contextmanager
def send_64(stage: Stage) -> Iterator[Plan]:
    yield Plan(
        "sends/s",
        {"to one": counted(stage, to_one(stage), 64), "spread": counted(stage, spread(stage), 64)},
        {
            "litestar_alone": litestar_alone(stage, 64),
            "postgres_alone": postgres_alone(stage, 64),
            "textbook": textbook(stage, "send", 64, [textbook_send(stage, *one) for one in anywhere(stage)]),
        },
    )


@contextmanager
def send_64_notified(stage: Stage) -> Iterator[Plan]:
    """Measures what notifications cost the sender: one message in ten mentions a member of its group of 20."""
    sends = [
        send(stage, ring(number), by, "" if at % MENTION_EVERY else f"@Person{stage.people.neighbours(number)[0]} ")
        for at, (number, by) in enumerate(anywhere(stage))
    ]
    named = stage.feed("send_named", stage.api, sends)
    yield Plan(
        "sends/s",
        {"one in ten names somebody": counted(stage, named, 64)},
        {"naming_nobody": counted(stage, spread(stage), 64)},
    )


@contextmanager
def send_1_p50_ms(stage: Stage) -> Iterator[Plan]:
    yield Plan(
        "ms",
        {"spread": counted(stage, spread(stage), 1, median_ms=True)},
        {
            "litestar_alone": litestar_alone(stage, 1, median_ms=True),
            "postgres_alone": postgres_alone(stage, 1, median_ms=True),
        },
        least=False,
    )
