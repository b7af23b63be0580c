"""A read that gets no answer is answered 503, once; a write waits for its own deadline."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from app.api.middleware.read_deadline import ReadDeadline
from tests.support.client import eventually

Messages = list[dict[str, Any]]


class Application:
    """Answers once `released`, with 200 or by raising."""

    def __init__(self, error: Exception | None = None) -> None:
        self.released = asyncio.Event()
        self.error = error
        self.ended = False

    async def __call__(self, _scope: Any, _receive: Any, send: Any, /) -> None:
        await self.released.wait()
        self.ended = True
        if self.error is not None:
            raise self.error
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"late"})


def call(application: Application, sent: Messages, method: str, seconds: float) -> asyncio.Task[None]:
    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    scope: Any = {"type": "http", "method": method, "path": "/"}
    return asyncio.create_task(ReadDeadline(seconds=seconds).handle(scope, receive, send, application))


async def answered(sent: Messages) -> None:
    await eventually(lambda: len(sent) == 2)


async def test_a_read_without_an_answer_is_refused_and_its_late_answer_dropped() -> None:
    application, sent = Application(), Messages()
    task = call(application, sent, "GET", 0.01)
    await answered(sent)
    start, body = sent
    headers = dict(start["headers"])
    assert start["status"] == 503
    assert headers[b"content-type"] == b"application/problem+json"
    assert int(headers[b"retry-after"]) >= 1
    assert msgspec.json.decode(body["body"])["code"] == "database_unavailable"
    application.released.set()
    await task
    assert application.ended
    assert len(sent) == 2


async def test_an_error_after_the_refusal_is_not_answered() -> None:
    application, sent = Application(ValueError()), Messages()
    task = call(application, sent, "GET", 0.01)
    await answered(sent)
    application.released.set()
    await task
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


async def test_an_error_before_it_reaches_the_error_handler() -> None:
    application = Application(ValueError())
    task = call(application, Messages(), "GET", 30)
    application.released.set()
    (error,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(error, ValueError)


async def test_an_answer_in_time_is_the_only_one() -> None:
    application, sent = Application(), Messages()
    application.released.set()
    await call(application, sent, "GET", 30)
    assert [message.get("status") for message in sent] == [200, None]


async def test_a_write_is_not_answered_early() -> None:
    reading, writing = Application(), Application()
    refused, sent = Messages(), Messages()
    tasks = [call(writing, sent, "POST", 0.01), call(reading, refused, "GET", 0.02)]
    await answered(refused)
    assert sent == []
    for application in (reading, writing):
        application.released.set()
    await asyncio.gather(*tasks)
    assert sent[0]["status"] == 200
