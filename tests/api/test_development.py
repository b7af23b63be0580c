"""The plug of development: for operators of a local start; for all others there is nothing at its paths."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from app.development import plug
from app.development.plug import PartOutage
from app.settings import Settings
from tests.support.local_starts import started_here
from tests.support.operators import promote
from tests.support.web import API, Client, Someone, join, problem, running

PATH = f"{API}/development/"
PLUG = f"{API}/development/plug/"


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Client]:
    async with started_here(settings) as client:
        yield client
    plug.clear(settings.data_dir)


async def operator(client: Client, settings: Settings) -> Someone:
    person = await join(client, "Root")
    promote(settings.database_url, person.email)
    return person


async def test_operators_of_a_local_start_see_what_they_can_unplug(here: Client, settings: Settings) -> None:
    root = await operator(here, settings)
    assert (await here.get(PATH, headers=root.headers)).json() == {"plug": ["redis", "api"]}


@pytest.mark.parametrize("part", plug.PARTS)
async def test_a_pulled_plug_is_requested_and_audited(here: Client, settings: Settings, part: plug.Part) -> None:
    root = await operator(here, settings)
    answer = await here.post(PLUG, json={"part": part, "seconds": 7}, headers=root.headers)
    assert (answer.status_code, answer.json()) == (202, {"part": part, "seconds": 7})
    requested = plug.requested(settings.data_dir)
    assert requested is not None
    assert (requested.part, requested.seconds) == (part, 7)
    entries = (await here.get(f"{API}/ops/audit/", params={"by": root.id}, headers=root.headers)).json()["items"]
    assert [(one["action"], one["details"]) for one in entries] == [("plug.pulled", {"part": part, "seconds": 7})]


async def test_a_plug_takes_ten_seconds_if_none_are_given(here: Client, settings: Settings) -> None:
    root = await operator(here, settings)
    answer = await here.post(PLUG, json={"part": "api"}, headers=root.headers)
    assert (answer.status_code, answer.json()) == (202, {"part": "api", "seconds": 10})


async def test_while_one_part_is_unplugged_a_second_request_is_refused(here: Client, settings: Settings) -> None:
    root = await operator(here, settings)
    assert (await here.post(PLUG, json={"part": "redis"}, headers=root.headers)).status_code == 202
    running_now = plug.requested(settings.data_dir)
    for part in plug.PARTS:
        problem(await here.post(PLUG, json={"part": part}, headers=root.headers), 409, "unplugged")
    assert plug.requested(settings.data_dir) == running_now
    entries = (await here.get(f"{API}/ops/audit/", params={"by": root.id}, headers=root.headers)).json()["items"]
    assert [one["action"] for one in entries] == ["plug.pulled"]
    plug.clear(settings.data_dir)
    assert (await here.post(PLUG, json={"part": "api"}, headers=root.headers)).status_code == 202


@pytest.mark.parametrize(
    "body",
    [{"part": "postgres"}, {}, {"part": "api", "seconds": 0}, {"part": "api", "seconds": 31}, {"part": "api", "x": 1}],
)
async def test_other_parts_and_longer_outages_are_400(here: Client, settings: Settings, body: dict[str, Any]) -> None:
    root = await operator(here, settings)
    problem(await here.post(PLUG, json=body, headers=root.headers), 400, "invalid")
    assert plug.requested(settings.data_dir) is None


async def test_for_other_users_the_paths_do_not_exist(here: Client, settings: Settings) -> None:
    ada = await join(here)
    nowhere = await here.get(f"{API}/nothing/", headers=ada.headers)
    for method, path in (("GET", PATH), ("POST", PLUG), ("GET", PLUG), ("DELETE", PATH)):
        answer = await here.request(method, path, json={"part": "api"}, headers=ada.headers)
        problem(answer, 404, "not_found")
        assert answer.content == nowhere.content, f"{method} {path}"
    assert plug.requested(settings.data_dir) is None


@pytest.mark.parametrize("where", ["own servers", "production"])
async def test_elsewhere_the_paths_do_not_exist_for_operators_either(settings: Settings, where: str) -> None:
    chat = running(settings) if where == "own servers" else started_here(settings, environment="production")
    async with chat as client:
        root = await operator(client, settings)
        problem(await client.get(PATH, headers=root.headers), 404, "not_found")
        problem(await client.post(PLUG, json={"part": "api"}, headers=root.headers), 404, "not_found")
    assert plug.requested(settings.data_dir) is None


def test_an_outage_is_written_as_it_is_read() -> None:
    outage = PartOutage(part="redis", seconds=3)
    assert msgspec.json.decode(msgspec.json.encode(outage), type=PartOutage) == outage
