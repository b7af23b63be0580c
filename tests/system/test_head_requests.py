"""HEAD answers as GET without the body, for monitors and `curl -I`."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.support.client import API
from tests.system.conftest import Pair, Urls

CHANGING = (b"date:", b"x-request-id:")


async def ask(url: str, method: str, path: str, token: str = "") -> tuple[list[bytes], bytes]:
    """The answer's head without what differs each time, and all that follows until the server closes. No client of
    HTTP would show a body that came by mistake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}", "Connection: close"]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    writer.close()
    return [line for line in head.split(b"\r\n") if not line.lower().startswith(CHANGING)], body


@pytest.mark.parametrize("path", ["/livez", "/docs", "/docs/assets/docs.js", f"{API}/", f"{API}/me/", "/nope"])
async def test_head_answers_as_get_without_the_body(urls: Urls, pair: Pair, path: str) -> None:
    ada = await pair.one.register("Ada")
    got, body = await ask(urls.one, "GET", path, ada.access)
    head, nothing = await ask(urls.one, "HEAD", path, ada.access)
    assert head == got
    assert b"content-length: %d" % len(body) in head
    assert body
    assert nothing == b""


async def test_a_route_without_get_has_no_head(urls: Urls) -> None:
    refused, body = await ask(urls.one, "HEAD", f"{API}/login/")
    assert refused[0].startswith(b"HTTP/1.1 405 ")
    assert b"allow: OPTIONS, POST" in refused
    assert body == b""
