"""From a message to a socket, a mail and back: a real worker, a real mail server, real people."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import psycopg
import pytest
import redis

from app.realtime.presence import KNOWN_FROM
from app.settings import Settings
from app.tasks import mail as mails
from app.tasks import notifications
from app.wiring import make_celery
from tests.support.client import API, Node, Person, eventually
from tests.support.mailbox import link_of, text_of
from tests.support.places import PUBLIC_URL, Place, placed
from tests.support.servers import TestPostgres


@pytest.fixture(scope="module")
def place(postgres: TestPostgres, settings: Settings) -> Iterator[Place]:
    """With an API and a worker; a message is due at once."""
    with placed(postgres, settings, "notifications", NOTIFY_AFTER_SECONDS="0") as found:
        with redis.Redis.from_url(found.settings.redis_url, socket_timeout=5) as client:
            # As if it had run for long: an empty Redis knows only after twenty seconds who is not there.
            client.set(KNOWN_FROM, int(time.time()) - 1)
        found.processes.worker()
        yield found


@pytest.fixture(scope="module")
def url(place: Place) -> str:
    return place.processes.api().url


@pytest.fixture
async def node(place: Place, url: str) -> AsyncIterator[Node]:
    make_celery(place.settings)
    found = Node(url)
    yield found
    await found.close()


def sweep(times: int = 1) -> None:
    """What beat does every five seconds."""
    for _ in range(times):
        notifications.decide.apply_async()


async def reasons(person: Person, conversation: str, message: str) -> list[tuple[str, str]]:
    found = await person.get(f"/conversations/{conversation}/messages/{message}/notifications/")
    return [(one["channel"], one["outcome"]) for one in found["items"]]


async def becomes(person: Person, conversation: str, message: str, wanted: list[tuple[str, str]]) -> None:
    found: list[tuple[str, str]] = []
    for _ in range(200):
        if (found := await reasons(person, conversation, message)) == wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{found}, not {wanted}")


async def listed(person: Person) -> list[dict[str, Any]]:
    return list((await person.get("/notifications/"))["items"])


async def test_present_members_are_notified_on_their_sockets_and_absent_ones_by_mail(node: Node, place: Place) -> None:
    ada, grace, linus = [await node.register(name) for name in ("Ada", "Grace", "Linus")]
    engines = await ada.converse(grace, linus)
    await linus.say(engines, "I am here")  # so that mails to him quote what is said there
    async with grace.listening() as socket:
        await asyncio.sleep(1.5)  # until presence is published
        message = (await ada.say(engines, "look at this, @Linus")).body
        sweep()
        received = await socket.expect("notification", conversation=engines)
        assert (received["kind"], received["from_seq"], received["up_to_seq"], received["is_read"]) == (
            "unread",
            0,
            2,
            False,
        )
        [kept] = await listed(grace)
        assert kept == {key: value for key, value in received.items() if key != "type"}
        letter = await place.mailboxes.wait_for(linus.email, "Unread in Engines")
        assert "Ada Tester: look at this, @Linus" in text_of(letter)
        await becomes(linus, engines, message["id"], [("mail", "sent"), ("app", "sent")])
        await becomes(grace, engines, message["id"], [("mail", "present"), ("app", "sent")])
        assert [one["kind"] for one in await listed(linus)] == ["mention"]
        assert await reasons(ada, engines, message["id"]) == []
    assert place.mailboxes.to(grace.email, "Unread") == []


async def test_a_link_unsubscribes_without_a_login(node: Node, place: Place) -> None:
    ada, grace = [await node.register(name) for name in ("Ada", "Grace")]
    engines = await ada.converse(grace)
    first = (await ada.say(engines, "one")).body
    sweep()
    letter = await place.mailboxes.wait_for(grace.email, "Unread")
    token = link_of(letter).partition("#unsubscribe=")[2]
    for _ in range(2):
        answer = await node.request("POST", f"{API}/unsubscribe/", json={"token": token})
        assert answer.status == 204
    for wrong in (token[:-4] + "AAA=", "nonsense", "", "ü", token + "AAAA"):
        refused = await node.request("POST", f"{API}/unsubscribe/", json={"token": wrong})
        assert (refused.status, refused.problem.code) == (400, "invalid_mailed_token")
    assert await grace.get(f"/conversations/{engines}/notifications/") == {
        "level": "all",
        "muted_until": None,
        "mails": False,
    }
    await becomes(grace, engines, first["id"], [("mail", "sent"), ("app", "sent")])


@pytest.mark.parametrize("form", ["urlencoded", "multipart"])
async def test_a_mail_program_unsubscribes_with_one_click(node: Node, url: str, place: Place, form: str) -> None:
    """As Gmail does it (RFC 8058): a form to the address in the header, without cookies, login or redirect."""
    ada, grace = [await node.register(name) for name in ("Ada", "Grace")]
    engines = await ada.converse(grace)
    await ada.say(engines, "one")
    sweep()
    letter = await place.mailboxes.wait_for(grace.email, "Unread")
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = str(letter["List-Unsubscribe"]).removeprefix("<").removesuffix(">")
    assert link.startswith(f"{PUBLIC_URL}/api/v1/unsubscribe/one-click?token=")
    here = link.replace(PUBLIC_URL, url)
    path = f"/conversations/{engines}/notifications/"
    async with httpx.AsyncClient(trust_env=False, timeout=10) as program:
        for method in ("GET", "HEAD"):
            # A scanner follows links before the reader does: it comes to a button, and nothing has changed.
            answer = await program.request(method, here)
            assert (answer.status_code, answer.headers["location"]) == (
                302,
                f"/account#{link_of(letter).partition('#')[2]}",
            )
        page = await program.get(here, follow_redirects=True)
        assert "<button>Unsubscribe</button>" in page.text
        assert (await grace.get(path))["mails"] is True
        body: dict[str, Any] = {"data": {"List-Unsubscribe": "One-Click"}}
        if form == "multipart":
            body = {"files": {"List-Unsubscribe": (None, "One-Click")}}
        for _ in range(2):
            answer = await program.post(here, **body)
            assert (answer.status_code, answer.json()) == (
                200,
                {"detail": "You get no more mails about this conversation."},
            )
        assert (await grace.get(path))["mails"] is False
        for wrong in ("?token=nonsense", "?token=", "?token=%0d%0aSet-Cookie:%20a=b", f"?token={'A' * 64}"):
            answer = await program.post(here.partition("?")[0] + wrong, **body)
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_mailed_token")
        assert (await program.post(here.partition("?")[0], **body)).status_code == 400
        split = await program.get(here.partition("?")[0] + "?token=a%0d%0aSet-Cookie:%20a=b")
        assert "set-cookie" not in split.headers
        assert split.headers["location"] == "/account#unsubscribe=a%0D%0ASet-Cookie%3A%20a=b"


async def test_one_click_is_throttled_by_address(place: Place) -> None:
    (other,) = place.processes.apis({"THROTTLE_ADDRESS": "3/minute", "TRUSTED_PROXY_HOPS": "1"})
    somewhere = {"X-Forwarded-For": "203.0.113.77"}
    async with httpx.AsyncClient(trust_env=False, timeout=10, headers=somewhere) as program:
        answers = [
            (await program.post(f"{other.url}{API}/unsubscribe/one-click?token=x", data={"a": "b"})).status_code
            for _ in range(5)
        ]
    other.end()
    assert answers == [400, 400, 400, 429, 429]


async def test_concurrent_sweeps_notify_and_mail_once(node: Node, place: Place) -> None:
    """Two beats, duplicated tasks, and a second worker."""
    ada = await node.register("Ada")
    others = [await node.register(f"Other{number}") for number in range(6)]
    engines = await ada.converse(*others)
    second = place.processes.worker()
    try:
        await ada.say(engines, "hello all")
        sweep(12)
        for one in others:
            await place.mailboxes.wait_for(one.email, "Unread")
        sweep(6)
        last = await node.register("Last")
        another = await ada.converse(last)
        await ada.say(another, "the end")
        sweep()
        await place.mailboxes.wait_for(last.email, "Unread")
    finally:
        second.end()
    assert [len(place.mailboxes.to(one.email, "Unread")) for one in others] == [1] * 6
    assert [len(await listed(one)) for one in others] == [1] * 6


async def test_a_message_read_between_decision_and_mail_is_not_mailed(node: Node, place: Place) -> None:
    ada, grace = [await node.register(name) for name in ("Ada", "Grace")]
    engines = await ada.converse(grace)
    for one in (ada, grace):
        await place.mailboxes.wait_for(one.email, "Welcome")
    place.mailboxes.answers = ["450 later"]
    message = (await ada.say(engines, "hello")).body
    sweep()
    await becomes(grace, engines, message["id"], [("mail", "due"), ("app", "sent")])
    with psycopg.connect(place.settings.libpq_url, autocommit=True) as connection:

        def put_off() -> bool:
            """The first try has been refused."""
            mail = "SELECT 1 FROM mails WHERE user_id = %s AND kind = 'unread' AND attempts = 1 AND claimed_at IS NULL"
            return connection.execute(mail, [grace.id]).fetchone() is not None

        await eventually(put_off)
        await grace.call("PUT", f"/conversations/{engines}/read/", {"seq": 1})
        # As if half a minute had passed: the mail is due again, and checks once more whether it is wanted.
        due = connection.execute(
            "UPDATE mails SET due_at = now() - interval '1 s' WHERE user_id = %s AND kind = 'unread' RETURNING id",
            [grace.id],
        ).fetchone()
    assert due
    mails.send_mail.apply_async((str(due[0]),))
    await becomes(grace, engines, message["id"], [("mail", "read elsewhere"), ("app", "sent")])
    assert place.mailboxes.to(grace.email, "Unread") == []


async def test_notifications_are_read_and_preferences_set_over_rest(node: Node) -> None:
    ada, grace, eve = [await node.register(name) for name in ("Ada", "Grace", "Eve")]
    engines = await ada.converse(grace)
    await ada.say(engines, "hello")
    sweep()
    found: list[dict[str, Any]] = []
    for _ in range(100):
        if found := await listed(grace):
            break
        await asyncio.sleep(0.05)
    [one] = found
    for body in ({}, {"ids": [one["id"]], "all": True}, {"ids": ["x"]}, {"all": False}, {"other": 1}):
        assert (await grace.call("POST", "/notifications/read/", body)).status == 400
    assert (await eve.call("POST", "/notifications/read/", {"ids": [one["id"]]})).status == 204
    assert [each["is_read"] for each in await listed(grace)] == [False]
    assert (await grace.call("POST", "/notifications/read/", {"ids": [one["id"]]})).status == 204
    assert [each["is_read"] for each in await listed(grace)] == [True]
    assert (await grace.call("POST", "/notifications/read/", {"all": True})).status == 204
    path = f"/conversations/{engines}/notifications/"
    wishes: list[tuple[dict[str, object], int]] = [
        ({"level": "some"}, 400),
        ({}, 400),
        ({"level": "all", "muted_until": "tomorrow"}, 400),
        ({"level": "all", "muted_until": "2026-05-04T09:00:00"}, 400),
        ({"level": "none", "seq": 1}, 400),
        ({"level": "mentions", "muted_until": "2030-05-04T09:00:00Z", "mails": False}, 200),
        ({"level": "none"}, 200),
    ]
    for wish, status in wishes:
        answer = await grace.call("PUT", path, wish)
        assert answer.status == status, wish
    assert (await grace.get(path)) == {"level": "none", "muted_until": None, "mails": True}
    assert (await eve.call("PUT", path, {"level": "all"})).status == 404
