"""HEAD says what GET would, without the body: monitors ask so, and `curl -I`."""

from __future__ import annotations

import pytest
from httpx import AsyncClient, Limits, Response

from tests.story.conftest import Pair, Urls
from tests.support.client import API

CHANGING = {"date", "x-request-id"}


def headers(answer: Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in CHANGING}


@pytest.mark.parametrize("path", ["/livez", "/docs", "/docs/assets/docs.js", f"{API}/", f"{API}/me/", "/nope"])
async def test_it_is_the_get_without_its_body(urls: Urls, pair: Pair, path: str) -> None:
    ada = await pair.one.register("Ada")
    own = {"Authorization": f"Bearer {ada.access}"}
    # One connection for all: a body too many or too few would be the next answer's beginning.
    async with AsyncClient(base_url=urls.one, headers=own, limits=Limits(max_connections=1), timeout=10) as client:
        got, head, again = await client.get(path), await client.head(path), await client.get(path)
    assert head.status_code == got.status_code == again.status_code
    assert headers(head) == headers(got) == headers(again)
    assert head.content == b""
    assert int(head.headers["content-length"]) == len(got.content) > 0


async def test_what_has_no_get_has_no_head(urls: Urls) -> None:
    async with AsyncClient(base_url=urls.one, timeout=10) as client:
        refused = await client.head(f"{API}/login/")
    assert refused.status_code == 405
    assert refused.headers["allow"] == "OPTIONS, POST"
