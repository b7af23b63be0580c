"""Messages are counted when stored: edits, replays and refused sends are free."""

from __future__ import annotations

from typing import Any

import pytest
from httpx import Response

from app.domain.rates import Rate
from app.settings import Settings
from tests.support.web import API, Client, Someone, join, problem, running


async def conversation(api: Client, person: Someone) -> str:
    answer = await api.post(f"{API}/conversations/", json={"name": "Mathematicians"}, headers=person.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def send(api: Client, person: Someone, where: str, **fields: Any) -> Response:
    body = {"message_type": "text", "text": "hello", **fields}
    return await api.post(f"{API}/conversations/{where}/messages/", json=body, headers=person.headers)


@pytest.mark.parametrize(
    ("policy", "limits"),
    [
        ("messages", {"throttle_messages": Rate(3, 60)}),
        ("user", {"throttle_user": Rate(3, 86_400)}),
    ],
)
async def test_a_refused_message_leaves_other_requests_allowed(
    settings: Settings, empty_redis_url: str, policy: str, limits: dict[str, Rate]
) -> None:
    async with running(settings, **limits) as api:
        ada, eve = await join(api, "Ada"), await join(api, "Eve")
        here, there = await conversation(api, ada), await conversation(api, ada)
        stored = [await send(api, ada, where, client_id=f"{i}") for i, where in enumerate((here, there, here))]
        assert [one.status_code for one in stored] == [201] * 3
        refused = await send(api, ada, there)
        problem(refused, 429, "throttled")
        assert refused.headers["ratelimit-policy"].startswith(f'"{policy}";q=3;')
        problem(await send(api, ada, there, client_id="new"), 429, "throttled")
        replay = await send(api, ada, here, client_id="0")
        assert (replay.status_code, replay.json()["id"]) == (200, stored[0].json()["id"])
        message = f"{API}/conversations/{here}/messages/{stored[0].json()['id']}/"
        assert (await api.patch(message, json={"text": "edited"}, headers=ada.headers)).status_code == 200
        assert (await api.delete(message, headers=ada.headers)).status_code == 204
        assert (await send(api, eve, await conversation(api, eve))).status_code == 201


async def test_a_send_that_is_not_stored_leaves_the_quota(settings: Settings, empty_redis_url: str) -> None:
    async with running(settings, throttle_messages=Rate(2, 60), throttle_user=Rate(2, 86_400)) as api:
        ada, eve = await join(api, "Ada"), await join(api, "Eve")
        own, others = await conversation(api, ada), await conversation(api, eve)
        assert (await send(api, ada, own, client_id="1")).status_code == 201
        for _ in range(4):
            assert (await send(api, ada, own, client_id="1")).status_code == 200
            assert (await send(api, ada, own, client_id="1", text="another")).status_code == 422
            assert (await send(api, ada, others)).status_code in (403, 404)
            assert (await send(api, ada, own, text="")).status_code == 400
            assert (await send(api, ada, own, reply_to=99)).status_code == 400
        assert (await send(api, ada, own)).status_code == 201
        problem(await send(api, ada, own), 429, "throttled")
