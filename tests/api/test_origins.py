"""Pages of other origins: those of ALLOWED_ORIGINS may call the API from a browser, no other."""

from __future__ import annotations

import pytest

from tests.support.web import Client

PATH = "/api/v1/me/"
OWN = "http://127.0.0.1:8000"
ASKED = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization, content-type"}


async def test_a_browser_is_told_that_a_named_origin_may(api: Client) -> None:
    answer = await api.options(PATH, headers={"Origin": OWN, **ASKED})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == OWN
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-max-age"] == "600"


async def test_a_page_of_a_named_origin_may_read_answers_and_their_headers(api: Client) -> None:
    """Errors too."""
    refused = await api.get(PATH, headers={"Origin": OWN})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == OWN
    assert "Retry-After" in refused.headers["access-control-expose-headers"]
    assert "Idempotency-Replayed" in refused.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["https://evil.example.org", "http://127.0.0.1:8001", "null"])
async def test_no_other_origin_is_told_anything(api: Client, origin: str) -> None:
    for answer in (
        await api.options(PATH, headers={"Origin": origin, **ASKED}),
        await api.get(PATH, headers={"Origin": origin}),
    ):
        assert "access-control-allow-origin" not in answer.headers
