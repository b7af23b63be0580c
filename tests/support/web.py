"""The whole application in this process, with clients and their accounts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
from httpx import ASGITransport, AsyncClient, Response
from litestar import Litestar

from app.domain.orm import uuid7
from app.domain.rates import Rate
from app.main import create_app
from app.settings import Settings

PASSWORD = "correct horse battery staple"
API = "/api/v1"

Client = AsyncClient


class Someone(msgspec.Struct, frozen=True):
    """A registered person with one login."""

    id: str
    email: str
    access: str
    refresh: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}


@asynccontextmanager
async def running(settings: Settings, **changes: Any) -> AsyncIterator[Client]:
    """The application on `settings`, with `changes`; unthrottled, unless a test says otherwise."""
    high = Rate(1_000_000, 60)
    names = ("requests", "address", "messages", "user", "additions", "added")
    free = {f"throttle_{name}": high for name in names}
    async with serving(create_app(msgspec.structs.replace(settings, **(free | changes)))) as client:
        yield client


@asynccontextmanager
async def serving(app: Litestar) -> AsyncIterator[Client]:
    """A client of `app`, which lives on the test's own loop (Litestar's test client gives its life to another thread,
    whose loop is not the one the requests run on), in a task of its own, as its cancel scopes want."""
    started, over = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await over.wait()

    life = asyncio.create_task(live())
    await asyncio.wait({life, asyncio.ensure_future(started.wait())}, return_when=asyncio.FIRST_COMPLETED)
    try:
        transport = ASGITransport(cast("Any", app), raise_app_exceptions=False)
        async with AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            yield client
    finally:
        over.set()
        started.set()
        await life


async def register(client: Client, first_name: str = "Ada", **fields: str) -> dict[str, Any]:
    """A new account, with an address of its own."""
    answer = await client.post(
        f"{API}/users/",
        json={
            "email": f"{uuid7()}@example.org",
            "password": PASSWORD,
            "first_name": first_name,
            "last_name": "Tester",
            **fields,
        },
    )
    assert answer.status_code == 201, answer.text
    account: dict[str, Any] = answer.json()
    return account


async def log_in(client: Client, email: str, password: str = PASSWORD, **headers: str) -> Someone:
    answer = await client.post(f"{API}/login/", json={"email": email, "password": password}, headers=headers)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return Someone(id=body["user"]["id"], email=email, access=body["access"], refresh=body["refresh"])


async def join(client: Client, first_name: str = "Ada", **fields: str) -> Someone:
    """Register and log in."""
    account = await register(client, first_name, **fields)
    return await log_in(client, account["email"])


def problem(answer: Response, status: int, code: str) -> dict[str, Any]:
    """The problem in `answer`, once it is the one expected."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["code"] == code, body
    assert body["type"] == f"urn:problem-type:{code}"
    assert body["title"]
    assert body["detail"]
    return body
