"""Every route requires a login unless it is marked public; requests are limited by user, address and network."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import msgspec
import pytest
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from app import wiring
from app.domain.orm import uuid7
from app.domain.rates import Rate
from app.main import create_app
from app.settings import Settings
from tests.support.web import API, Client, join, log_in, problem, register, running

PUBLIC = {
    ("GET", API),
    ("POST", f"{API}/users"),
    ("POST", f"{API}/login"),
    ("POST", f"{API}/first-login"),
    ("GET", f"{API}/registration"),
    ("POST", f"{API}/invites/check"),
    ("POST", f"{API}/refresh"),
    ("POST", f"{API}/verify"),
    ("POST", f"{API}/activate"),
    ("POST", f"{API}/resend-activation"),
    ("POST", f"{API}/forgot-password"),
    ("POST", f"{API}/forgot-password-confirm"),
    ("POST", f"{API}/confirm-email"),
    ("POST", f"{API}/unsubscribe"),
    ("POST", f"{API}/unsubscribe/one-click"),
    ("GET", f"{API}/unsubscribe/one-click"),
}
"""The routes marked ° in the contract. Adding one is a decision: write it here too."""


def routes(settings: Settings) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in create_app(settings).routes:
        if isinstance(route, HTTPRoute) and route.path.startswith(API):
            for handler in route.route_handlers:
                for method in sorted(handler.http_methods - {"OPTIONS"}):
                    yield method, route.path, handler


def test_only_the_public_routes_of_the_contract_need_no_login(settings: Settings) -> None:
    opened = {(method, path) for method, path, handler in routes(settings) if handler.opt.get("public")}
    assert opened == PUBLIC


async def test_every_other_route_is_401_without_a_login(api: Client, settings: Settings) -> None:
    """The login is checked first, whatever ids the path has and whatever the body is."""
    walked = 0
    for method, path, _ in routes(settings):
        if (method, path) in PUBLIC:
            continue
        concrete = "/".join(str(uuid7()) if part.startswith("{") else part for part in path.split("/"))
        for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic YWRhOmFkYQ=="}):
            answered = await api.request(method, concrete, headers=headers)
            assert answered.status_code == 401, (method, path)
            assert answered.headers["www-authenticate"]
        walked += 1
    assert walked > 10


async def test_a_path_that_resembles_a_public_one_is_not_public(api: Client) -> None:
    for path in (f"{API}/me/login", f"{API}/login/x", f"{API}/sessions/login"):
        assert (await api.get(path)).status_code in (401, 404, 405)


async def test_requests_before_login_are_counted_by_address(settings: Settings, empty_redis_url: str) -> None:
    async with running(settings, throttle_address=Rate(3, 60)) as api:
        for _ in range(3):
            assert (await api.get(f"{API}/")).status_code == 200
        answered = await api.get(f"{API}/")
    problem(answered, 429, "throttled")
    assert answered.headers["ratelimit-policy"] == '"address";q=3;w=60'
    assert 1 <= int(answered.headers["retry-after"]) <= 61


async def test_a_forged_header_does_not_make_a_new_address(settings: Settings, empty_redis_url: str) -> None:
    async with running(settings, throttle_address=Rate(3, 60)) as api:
        answers = [
            await api.get(f"{API}/", headers={"X-Forwarded-For": f"198.51.100.{i}", "X-Real-IP": f"10.0.0.{i}"})
            for i in range(5)
        ]
    assert [one.status_code for one in answers] == [200, 200, 200, 429, 429]


async def test_behind_a_proxy_each_client_is_counted_alone(settings: Settings, empty_redis_url: str) -> None:
    async with running(settings, throttle_address=Rate(2, 60), trusted_proxy_hops=1) as api:

        async def ask(client: str, forged: str = "") -> int:
            header = f"{forged}, {client}" if forged else client
            return (await api.get(f"{API}/", headers={"X-Forwarded-For": header})).status_code

        assert [await ask("198.51.100.1") for _ in range(3)] == [200, 200, 429]
        assert [await ask("198.51.100.2", f"10.0.0.{i}") for i in range(3)] == [200, 200, 429]
        assert [await ask(f"2001:db8::{i}") for i in range(3)] == [200, 200, 429]


async def test_a_site_with_many_v6_networks_is_limited_as_a_whole(settings: Settings, empty_redis_url: str) -> None:
    async with running(settings, throttle_address=Rate(1, 60), trusted_proxy_hops=1) as api:

        async def ask(client: str) -> httpx.Response:
            return await api.get(f"{API}/", headers={"X-Forwarded-For": client})

        of_one_56 = [(await ask(f"2001:db8:0:{n:x}::1")).status_code for n in range(6)]
        assert of_one_56 == [200] * 4 + [429] * 2
        of_one_48 = [(await ask(f"2001:db8:0:{n << 8:x}::1")).status_code for n in range(1, 16)]
        assert of_one_48 == [200] * 12 + [429] * 3
        refused = await ask("2001:db8:0:fe00::1")
        assert refused.headers["ratelimit-policy"] == '"address_48";q=16;w=60'
        assert (await ask("2001:db8:1::1")).status_code == 200


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/docs", "/nothing/here", f"{API}/nothing", f"{API}/me/"])
async def test_requests_with_an_invalid_token_are_limited_by_network(
    settings: Settings, empty_redis_url: str, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(wiring, "STRANGERS", Rate(3, 60))
    async with running(settings, trusted_proxy_hops=1) as api:
        ada = await join(api)

        async def ask(client: str, token: str = "no.such.token", path: str = path) -> httpx.Response:
            headers = {"X-Forwarded-For": client, "Authorization": f"Bearer {token}", "Origin": "http://127.0.0.1:8000"}
            return await api.get(path, headers=headers)

        statuses = [(await ask("198.51.100.1")).status_code for _ in range(4)]
        assert 429 not in statuses[:3]
        problem(refused := await ask("198.51.100.1"), 429, "throttled")
        assert refused.headers["ratelimit-policy"] == '"strangers";q=3;w=60'
        assert refused.headers["retry-after"]
        assert statuses[3] == 429
        # Other networks, local monitors, liveness checks and logged-in users are not affected.
        assert (await ask("198.51.100.2")).status_code != 429
        assert {(await ask("127.0.0.1")).status_code for _ in range(5)} == {statuses[0]}
        assert (await ask("198.51.100.1", path="/livez")).status_code == 200
        assert (await ask("198.51.100.1", ada.access, f"{API}/me/")).status_code == 200


async def test_requests_of_a_user_are_counted_over_all_logins(settings: Settings, empty_redis_url: str) -> None:
    async with running(settings, throttle_requests=Rate(4, 60)) as api:
        ada, eve = await join(api, "Ada"), await join(api, "Eve")
        phone = await log_in(api, ada.email)
        statuses = [(await api.get(f"{API}/me/", headers=one.headers)).status_code for one in (ada, phone) * 3]
        assert statuses == [200] * 4 + [429] * 2
        answered = await api.get(f"{API}/nope/", headers=ada.headers)
        problem(answered, 404, "not_found")
        answered = await api.get(f"{API}/me/", headers=ada.headers)
        problem(answered, 429, "throttled")
        assert answered.headers["ratelimit-policy"] == '"requests";q=4;w=60'
        assert (await api.get(f"{API}/me/", headers=eve.headers)).status_code == 200


@pytest.mark.parametrize("query", ["", "?search=engines", "?cursor=nothing", "?limit=all"])
async def test_lists_are_counted_and_throttled_before_they_are_validated(
    settings: Settings, empty_redis_url: str, query: str
) -> None:
    async with running(settings, throttle_requests=Rate(2, 60)) as api:
        ada = await join(api, "Ada")
        for _ in range(2):
            assert (await api.get(f"{API}/conversations/", headers=ada.headers)).status_code == 200
        problem(await api.get(f"{API}/conversations/{query}", headers=ada.headers), 429, "throttled")


@pytest.mark.parametrize(
    "body", ['{"message_type":"text","text":"hello"}', '{"message_type":"text"}', '{"text":1}', "{"]
)
async def test_sends_are_counted_even_with_an_invalid_body(settings: Settings, empty_redis_url: str, body: str) -> None:
    async with running(settings, throttle_requests=Rate(2, 60)) as api:
        ada = await join(api, "Ada")
        headers = {**ada.headers, "content-type": "application/json"}
        path = f"{API}/conversations/{uuid7()}/messages/"
        statuses = [(await api.post(path, content=body, headers=headers)).status_code for _ in range(3)]
    answered = 404 if "hello" in body else 400
    assert statuses == [answered, answered, 429]


async def test_pages_of_messages_are_counted(settings: Settings, empty_redis_url: str) -> None:
    async with running(settings, throttle_requests=Rate(4, 60)) as api:
        ada = await join(api, "Ada")
        path = f"{API}/conversations/{uuid7()}/messages/"
        requested = [path, f"{path}?limit=0", f"{path}?limit=all", f"{path}?before=1&after=2"] * 2
        statuses = [(await api.get(one, headers=ada.headers)).status_code for one in requested]
    assert statuses == [404, 404, 400, 404] + [429] * 4


async def test_options_needs_no_login(api: Client) -> None:
    answered = await api.options(f"{API}/me/")
    assert answered.status_code == 204
    assert answered.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    assert answered.content == b""


async def guess(api: Client, email: str, password: str, address: str) -> int:
    answered = await api.post(
        f"{API}/login/", json={"email": email, "password": password}, headers={"X-Forwarded-For": address}
    )
    return answered.status_code


@pytest.fixture
def behind_a_proxy(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, trusted_proxy_hops=1)


async def test_guessing_one_account_is_slowed(behind_a_proxy: Settings, empty_redis_url: str) -> None:
    async with running(behind_a_proxy) as api:
        account = await register(api)
        email: str = account["email"]
        statuses = [await guess(api, email.upper() if i % 2 else email, "wrong", "198.51.100.1") for i in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        # Another account from there, and the same account from elsewhere, are not concerned.
        assert await guess(api, "nobody@example.org", "wrong", "198.51.100.1") == 401
        assert await guess(api, email, "correct horse battery staple", "198.51.100.2") == 200


async def test_guessing_an_unknown_account_is_slowed_alike(behind_a_proxy: Settings, empty_redis_url: str) -> None:
    async with running(behind_a_proxy) as api:
        statuses = [await guess(api, "nobody@example.org", "wrong", "198.51.100.1") for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2


async def test_right_passwords_leave_the_quota(behind_a_proxy: Settings, empty_redis_url: str) -> None:
    async with running(behind_a_proxy) as api:
        email: str = (await register(api))["email"]
        for _ in range(12):
            assert await guess(api, email, "correct horse battery staple", "198.51.100.1") == 200


async def test_guesses_from_many_networks_are_slowed_and_the_owner_is_not_locked_out(
    behind_a_proxy: Settings, empty_redis_url: str
) -> None:
    async with running(behind_a_proxy) as api:
        email: str = (await register(api))["email"]
        home, right = "203.0.113.5", "correct horse battery staple"
        assert await guess(api, email, right, home) == 200
        strangers = [await guess(api, email, "wrong", f"198.51.{i // 10}.{i % 10}") for i in range(103)]
        assert strangers == [401] * 100 + [429] * 3
        assert await guess(api, email, right, "198.51.100.200") == 429
        assert await guess(api, email, right, home) == 200
        # A 401 here would reveal that the account exists and that this network is one of its own.
        assert await guess(api, email, "wrong", home) == 429


async def test_password_guesses_with_a_stolen_token_are_throttled(settings: Settings, empty_redis_url: str) -> None:
    async with running(settings) as api:
        ada = await join(api)
        change = {"current_password": "wrong", "new_password": "a new one, and better"}
        answers = [await api.post(f"{API}/reset-password/", json=change, headers=ada.headers) for _ in range(11)]
        problem(answers[-2], 400, "wrong_password")
        problem(answers[-1], 429, "throttled")
        await log_in(api, ada.email)
