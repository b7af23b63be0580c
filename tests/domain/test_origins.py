"""Pages of other origins, and names of this server: REST and sockets judge them alike, in the form browsers send."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from app.db import Database
from app.domain.auth.tokens import Tokens
from app.domain.errors import Throttled
from app.domain.origins import Hosts, host_pattern, origin_pattern
from app.realtime.connection.close_codes import NOT_AUTHENTICATED, REFUSED
from app.realtime.handshake import Authenticator, HandshakeRefused, Socket
from app.settings import Settings
from app.throttling.limiter import RateLimiter
from tests.support.web import Client, running

PATH = "/api/v1/me/"
OWN = "http://127.0.0.1:8000"
ASKED = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization, content-type"}


async def test_a_preflight_allows_a_configured_origin(api: Client) -> None:
    answer = await api.options(PATH, headers={"Origin": OWN, **ASKED})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == OWN
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-max-age"] == "600"


async def test_a_page_of_a_configured_origin_may_read_answers_and_their_headers(api: Client) -> None:
    """Errors too."""
    refused = await api.get(PATH, headers={"Origin": OWN})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == OWN
    assert "Retry-After" in refused.headers["access-control-expose-headers"]
    assert "Idempotency-Replayed" in refused.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["https://evil.example.org", "http://127.0.0.1:8001", "null"])
async def test_no_other_origin_receives_cors_headers(api: Client, origin: str) -> None:
    for answer in (
        await api.options(PATH, headers={"Origin": origin, **ASKED}),
        await api.get(PATH, headers={"Origin": origin}),
    ):
        assert "access-control-allow-origin" not in answer.headers


class Unthrottled:
    async def count_user(self, _user: str, /) -> None:
        raise Throttled("requests", 1)

    async def count_network(self, _network: str, /) -> None:
        return None


def socket_from(origin: str) -> Socket:
    scope = {"headers": [(b"origin", origin.encode())], "query_string": b"", "subprotocols": [], "client": None}
    return cast("Socket", SimpleNamespace(scope=scope))


@pytest.mark.parametrize(
    ("written", "origin", "is_ours"),
    [
        ("https://a.example/", "https://a.example", True),
        ("https://B.example", "https://b.example", True),
        ("https://b.example:443", "https://b.example", True),
        ("http://b.example:80", "http://b.example", True),
        ("https://b.example", "https://b.example:8443", False),
        ("https://b.example", "http://b.example", False),
        ("https://bücher.example", "https://xn--bcher-kva.example", True),
        ("https://*.d.example", "https://app.d.example", True),
        ("https://*.d.example", "https://one.app.d.example", True),
        ("https://*.d.example", "https://d.example", False),
        ("https://*.d.example", "https://evild.example", False),
        ("https://*.d.example", "https://evil.example/.d.example", False),
        ("https://*.d.example", "https://evil.example:1.d.example", False),
        ("https://*.d.example", "https://app.d.example.evil.example", False),
        ("https://*.d.example:8443", "https://app.d.example:8443", True),
        ("https://a.example", "null", False),
    ],
)
async def test_rest_and_socket_judge_an_origin_alike(
    settings: Settings, written: str, origin: str, is_ours: bool
) -> None:
    kept = (origin_pattern(written),)
    async with running(settings, allowed_origins=kept) as api:
        answer = await api.get(PATH, headers={"Origin": origin})
        preflight = await api.options(PATH, headers={"Origin": origin, **ASKED})
    assert answer.headers.get("access-control-allow-origin") == (origin if is_ours else None)
    assert preflight.headers.get("access-control-allow-origin") == (origin if is_ours else None)
    gate = Authenticator(cast("Database", None), Tokens("secret"), cast("RateLimiter", Unthrottled()), origins=kept)
    with pytest.raises(HandshakeRefused) as refused:
        await gate.admit(socket_from(origin))
    assert refused.value.code == (NOT_AUTHENTICATED if is_ours else REFUSED)


@pytest.mark.parametrize(
    ("written", "header", "is_ours"),
    [
        ("Chat.Example.org", "chat.example.org", True),
        ("chat.example.org", "chat.example.org:8443", True),
        ("chat.example.org", "chat.example.org.", True),
        ("localhost", "localhost:", True),
        ("chat.example.org", "chat.example.org.evil.example", False),
        ("*.example.org", "a.example.org", True),
        ("*.example.org", "example.org", False),
        (".example.org", "example.org", True),
        (".example.org", "a.example.org", True),
        (".example.org", "evilexample.org", False),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("::1", "[::1]:8000", True),
        ("[::1]", "[0:0::1]", True),
        ("::1", "[::2]", False),
        ("*", "whatever.example", True),
    ],
)
def test_hosts_are_matched_in_the_form_that_browsers_send(written: str, header: str, is_ours: bool) -> None:
    assert Hosts([host_pattern(written)]).allows(header) is is_ours


async def test_hsts_is_sent_only_by_a_chat_on_https(settings: Settings) -> None:
    async with running(settings, public_url="https://chat.example.org") as api:
        for path in (PATH, "/livez", "/nothing/here"):
            answer = await api.get(path)
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
    async with running(settings) as api:
        assert "strict-transport-security" not in (await api.get(PATH)).headers
