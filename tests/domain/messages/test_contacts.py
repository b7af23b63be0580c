"""Which users may add another, and how often strangers may."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from httpx import Response

from app.domain.rates import Rate
from app.settings import Settings
from tests.support.web import API, Client, Someone, join, problem, running


@pytest.fixture(scope="module")
async def api(settings: Settings) -> AsyncIterator[Client]:
    async with running(settings, throttle_additions=Rate(4, 3_600), throttle_added=Rate(6, 86_400)) as client:
        yield client


async def group(api: Client, who: Someone) -> str:
    made = await api.post(f"{API}/conversations/", json={"name": "Engines"}, headers=who.headers)
    return str(made.json()["id"])


async def add(api: Client, who: Someone, other: Someone, where: str | None = None) -> Response:
    """Add `other` to a group of `who`, a new one unless it is named."""
    where = where or await group(api, who)
    return await api.post(f"{API}/conversations/{where}/add_member/", json={"user": other.id}, headers=who.headers)


async def converse(api: Client, who: Someone, other: Someone) -> Response:
    body = {"kind": "direct", "user": other.id}
    return await api.post(f"{API}/conversations/", json=body, headers=who.headers)


async def let(api: Client, who: Someone, adders: str) -> None:
    changed = await api.patch(f"{API}/me/", json={"who_may_add": adders}, headers=who.headers)
    assert (changed.status_code, changed.json()["who_may_add"]) == (200, adders), changed.text


async def test_who_may_add_is_everybody_by_default_and_a_put_may_omit_it(api: Client) -> None:
    linus = await join(api, "Linus")
    me = f"{API}/me/"
    assert (await api.get(me, headers=linus.headers)).json()["who_may_add"] == "everybody"
    await let(api, linus, "contacts")
    names = {"first_name": "Linus", "last_name": "T"}
    kept = await api.put(me, json=names, headers=linus.headers)
    assert kept.json()["who_may_add"] == "contacts"
    replaced = await api.put(me, json=names | {"who_may_add": "nobody"}, headers=linus.headers)
    assert replaced.json()["who_may_add"] == "nobody"
    for wrong in ("friends", "", None, 1):
        problem(await api.patch(me, json={"who_may_add": wrong}, headers=linus.headers), 400, "invalid")


async def test_a_stranger_cannot_add_a_user_who_admits_only_contacts_or_no_one(api: Client) -> None:
    eve, linus = await join(api, "Eve"), await join(api, "Linus")
    said = set()
    for adders in ("contacts", "nobody"):
        await let(api, linus, adders)
        for attempt in (add, converse):
            refused = problem(await attempt(api, eve, linus), 403, "not_addable")
            said.add(refused["detail"])
    assert len(said) == 1
    await let(api, linus, "everybody")
    assert (await add(api, eve, linus)).status_code == 204


async def test_the_contacts_of_a_user_are_those_the_user_wrote_to_or_added(api: Client) -> None:
    linus = await join(api, "Linus")
    answered, begun, added, silent = [await join(api, name) for name in ("Ada", "Grace", "Mallory", "Eve")]
    direct = (await converse(api, answered, linus)).json()["id"]
    body = {"message_type": "text", "text": "Hello."}
    said = await api.post(f"{API}/conversations/{direct}/messages/", json=body, headers=linus.headers)
    assert said.status_code == 201
    assert (await converse(api, linus, begun)).status_code == 201
    assert (await add(api, linus, added)).status_code == 204
    there = (await converse(api, silent, linus)).json()["id"]
    await api.post(f"{API}/conversations/{there}/messages/", json=body, headers=silent.headers)
    await let(api, linus, "contacts")
    for contact in (answered, begun, added):
        assert (await add(api, contact, linus)).status_code == 204
    problem(await add(api, silent, linus), 403, "not_addable")
    # An existing conversation is found, even by users who may not start one now.
    assert (await converse(api, silent, linus)).status_code == 200
    await let(api, linus, "nobody")
    for contact in (answered, begun, added):
        problem(await add(api, contact, linus), 403, "not_addable")
    problem(await converse(api, added, linus), 403, "not_addable")


async def test_a_user_adds_a_limited_number_of_strangers(api: Client) -> None:
    eve = await join(api, "Eve")
    strangers = [await join(api, "Linus") for _ in range(5)]
    for stranger in strangers[:4]:
        assert (await add(api, eve, stranger)).status_code == 204
    for attempt in (add, converse):
        refused = await attempt(api, eve, strangers[4])
        problem(refused, 429, "throttled")
        assert '"additions"' in refused.headers["ratelimit-policy"]
    # Those who know eve are not counted.
    friend = await join(api, "Ada")
    await converse(api, friend, eve)
    assert (await add(api, eve, friend)).status_code == 204


async def test_strangers_together_add_one_user_a_limited_number_of_times(api: Client) -> None:
    linus, ada = await join(api, "Linus"), await join(api, "Ada")
    await converse(api, linus, ada)
    for _ in range(3):
        stranger = await join(api, "Eve")
        for _ in range(2):
            where = await group(api, stranger)
            assert (await add(api, stranger, linus, where)).status_code == 204
            left = await api.post(f"{API}/conversations/{where}/leave_conversation/", headers=linus.headers)
            assert left.status_code == 204
    refused = await add(api, await join(api, "Eve"), linus)
    problem(refused, 429, "throttled")
    assert '"added"' in refused.headers["ratelimit-policy"]
    assert (await add(api, ada, linus)).status_code == 204


async def test_a_refused_addition_leaves_the_quota(api: Client) -> None:
    eve, linus, ada = await join(api, "Eve"), await join(api, "Linus"), await join(api, "Ada")
    where = await group(api, ada)
    assert (await add(api, ada, eve, where)).status_code == 204
    for _ in range(8):
        problem(await add(api, eve, linus, where), 403, "admins_only")
    assert (await add(api, ada, linus, where)).status_code == 204
    for _ in range(8):
        problem(await add(api, ada, linus, where), 409, "already_member")
    assert (await add(api, eve, linus)).status_code == 204
