"""Broadcasts as they run: a worker that sends what is due, is killed over its mails, and goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from app.domain.broadcasts.schemas import Broadcast, MailProgress
from tests.support.broadcasts import Crowd
from tests.support.client import Node
from tests.support.mailbox import html_of, text_of
from tests.support.places import Place
from tests.support.processes import Process

ACCOUNTS = 1_000
PATIENCE = 200.0
"""Seconds for all of them, however loaded the machine is."""


@pytest.fixture
def clock(place: Place) -> Iterator[None]:
    """A beat that posts the mail task to the workers every few seconds, as in production."""
    one = Process("beat", [], place.processes.directory, place.processes.environment)
    place.processes.keep(one)
    yield
    one.end()


async def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.2)


def mailed(place: Place, letters: int) -> bool:
    return place.mailboxes.attempts >= letters


def settled(crowd: Crowd, made: Broadcast) -> int:
    ((number,),) = crowd.sql(
        "SELECT mails_sent + mails_refused + mails_unknown + mails_dropped FROM broadcasts WHERE id = %s", made.id
    )
    return int(number)


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("clock")
async def test_a_worker_killed_twice_mails_a_thousand_accounts_once_each(place: Place, crowd: Crowd) -> None:
    crowd.people(ACCOUNTS)
    addresses = [address for (address,) in crowd.sql("SELECT email FROM users")]
    before = place.mailboxes.attempts
    made = await crowd.plan(mail=True, mails_per_second=200)
    for share in (0.2, 0.5):
        worker = place.processes.worker()
        await until(partial(mailed, place, before + int(share * ACCOUNTS)))
        worker.end()
    last = place.processes.worker()

    def all_but_those_under_way() -> bool:
        # The claim of a killed worker expires after minutes, and the mail's outcome is then `unknown`.
        crowd.sql("UPDATE mails SET claimed_at = claimed_at - interval '1 hour' WHERE outcome IS NULL AND attempts > 0")
        return settled(crowd, made) == ACCOUNTS

    await until(lambda: settled(crowd, made) >= ACCOUNTS - 20)
    await until(all_but_those_under_way)
    last.end()
    letters = [len(place.mailboxes.to(address)) for address in addresses]
    progress = (await crowd.look(made)).mails
    assert progress is not None
    assert set(letters) <= {0, 1}
    assert progress == MailProgress(
        planned=ACCOUNTS, posted=ACCOUNTS, sent=progress.sent, refused=0, unknown=ACCOUNTS - progress.sent, dropped=0
    )
    assert progress.sent <= sum(letters) <= ACCOUNTS
    assert progress.unknown <= 2, "one for each kill"


@pytest.fixture
async def node(place: Place) -> AsyncIterator[Node]:
    (api,) = place.processes.apis({})
    made = Node(api.url)
    yield made
    await made.close()
    api.end()


@pytest.mark.usefixtures("clock")
async def test_a_worker_sends_a_due_broadcast_to_sockets_and_mailboxes(place: Place, crowd: Crowd, node: Node) -> None:
    worker = place.processes.worker()
    ada = await node.register("Ada")
    text = "Away from 22:00 to 22:10 UTC.\n\nSee <you> later & thank you."
    soon = datetime.now(UTC) + timedelta(seconds=2)
    made = await crowd.plan(title="Maintenance & rest", text=text, send_at=soon, mail=True)
    async with ada.listening() as socket:
        await until(lambda: bool(socket.received("broadcast")))
        (frame,) = socket.received("broadcast")
        assert (frame["id"], frame["title"], frame["text"]) == (str(made.id), "Maintenance & rest", text)
    await until(lambda: settled(crowd, made) == 1)
    letter = await place.mailboxes.wait_for(ada.email, "Maintenance & rest")
    lines = [line for line in text_of(letter).splitlines() if line]
    assert lines[:3] == ["Hello Ada,", *text.splitlines()[::2]]
    assert "See &lt;you&gt; later &amp; thank you." in html_of(letter)
    sent = (await crowd.look(made)).sent_at
    assert sent is not None
    assert sent >= soon
    worker.end()
