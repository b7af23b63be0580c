"""Every error is an RFC 9457 problem, whoever raised it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from litestar import Litestar, get, post
from litestar.di import NamedDependency, Provide
from litestar.exceptions import (
    ClientException,
    InternalServerException,
    NotAuthorizedException,
    PermissionDeniedException,
    ServiceUnavailableException,
)
from litestar.params import JSONBody
from structlog.testing import capture_logs

from app.api.bodies import StrictRequest
from app.api.problems import STATUSES, answer
from app.domain import errors
from app.domain.errors import ChatError, Invalid, OutcomeUnknown, Throttled
from tests.support.web import API, Client, join, problem, serving


class Raising:
    """An application with one route, which raises what a test puts here."""

    def __init__(self) -> None:
        self.error: Callable[[], BaseException] = ChatError
        self.raise_in_cleanup = False

        async def dependency() -> AsyncIterator[int]:
            yield 1
            if self.raise_in_cleanup:
                raise self.error()

        @get("/raise")
        async def route(one: NamedDependency[int]) -> None:
            if not self.raise_in_cleanup:
                raise self.error()

        self.app = Litestar(
            [route],
            dependencies={"one": Provide(dependency)},
            exception_handlers={Exception: answer},
            openapi_config=None,
            logging_config=None,
        )


@pytest.fixture
async def raising() -> AsyncIterator[tuple[Raising, Client]]:
    one = Raising()
    async with serving(one.app) as client:
        yield one, client


def leaves(kind: type[ChatError]) -> list[type[ChatError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in leaves(child))]


def test_every_error_of_the_tree_has_a_status() -> None:
    for kind in leaves(ChatError)[1:]:
        assert any(one in STATUSES for one in kind.__mro__), kind


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.Invalid, 400),
        (errors.Unauthenticated, 401),
        (errors.Forbidden, 403),
        (errors.NotFound, 404),
        (errors.Conflict, 409),
        (errors.Mismatch, 422),
        (errors.Unavailable, 503),
        (errors.OutcomeUnknown, 503),
    ],
)
@pytest.mark.parametrize("in_cleanup", [False, True])
async def test_errors_of_the_domain_have_one_answer_each(
    raising: tuple[Raising, Client], kind: type[ChatError], status: int, in_cleanup: bool
) -> None:
    app, client = raising
    app.error, app.raise_in_cleanup = kind, in_cleanup
    answered = await client.get("/raise")
    body = problem(answered, status, kind.code)
    assert body["detail"] == kind.detail
    assert ("www-authenticate" in answered.headers) == (status == 401)
    assert answered.headers.get("retry-after") == ("1" if status == 503 else None)


async def test_a_code_and_fields_of_the_error_itself_are_told(
    raising: tuple[Raising, Client],
) -> None:
    app, client = raising
    app.error = lambda: Invalid("bad_name", "That name is bad.", errors=(("name", "Is bad."),))
    body = problem(await client.get("/raise"), 400, "bad_name")
    assert body == {
        "type": "urn:problem-type:bad_name",
        "title": "Bad name",
        "status": 400,
        "detail": "That name is bad.",
        "code": "bad_name",
        "errors": [{"field": "name", "message": "Is bad."}],
    }


async def test_throttled_names_the_policy_and_the_wait(raising: tuple[Raising, Client]) -> None:
    app, client = raising
    app.error = lambda: Throttled("messages", 17, limit=60, window=60)
    answered = await client.get("/raise")
    problem(answered, 429, "throttled")
    assert answered.headers["retry-after"] == "17"
    assert answered.headers["ratelimit"] == '"messages";r=0;t=17'
    assert answered.headers["ratelimit-policy"] == '"messages";q=60;w=60'


@pytest.mark.parametrize("in_cleanup", [False, True])
@pytest.mark.parametrize(
    "error", [RuntimeError("the password is hunter2"), KeyError("secret"), InternalServerException(detail="secret")]
)
async def test_a_500_says_nothing_and_the_log_everything(
    raising: tuple[Raising, Client], error: Exception, in_cleanup: bool
) -> None:
    app, client = raising
    app.error, app.raise_in_cleanup = (lambda: error), in_cleanup
    with capture_logs() as logged:
        answered = await client.get("/raise")
    body = problem(answered, 500, "internal")
    assert "hunter2" not in answered.text
    assert "secret" not in answered.text
    assert set(body) == {"type", "title", "status", "detail", "code"}
    [entry] = [one for one in logged if one["event"] == "unhandled"]
    assert entry["exc_info"] is error
    assert entry["route"] == "/raise"


async def test_what_is_alone_in_a_group_is_what_went_wrong(
    raising: tuple[Raising, Client],
) -> None:
    app, client = raising
    app.error = lambda: ExceptionGroup("outer", [ExceptionGroup("inner", [OutcomeUnknown()])])
    problem(await client.get("/raise"), 503, "outcome_unknown")
    app.error = lambda: ExceptionGroup("two", [OutcomeUnknown(), RuntimeError("other")])
    problem(await client.get("/raise"), 500, "internal")


async def test_a_passed_deadline_is_a_503(raising: tuple[Raising, Client]) -> None:
    app, client = raising
    app.error = asyncio.TimeoutError
    problem(await client.get("/raise"), 503, "unavailable")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotAuthorizedException(), 401, "not_authenticated"),
        (PermissionDeniedException(), 403, "forbidden"),
        (ClientException("Invalid host header"), 400, "malformed"),
        (ServiceUnavailableException(), 500, "internal"),
    ],
)
async def test_errors_of_the_framework_are_problems_too(
    raising: tuple[Raising, Client], error: Exception, status: int, code: str
) -> None:
    app, client = raising
    app.error = lambda: error
    problem(await client.get("/raise"), status, code)


async def test_a_recursion_of_ours_is_not_the_clients_fault(
    raising: tuple[Raising, Client],
) -> None:
    app, client = raising
    app.error = lambda: RecursionError("maximum recursion depth exceeded")
    problem(await client.get("/raise"), 500, "internal")


class Item(msgspec.Struct, forbid_unknown_fields=True):
    message: int


class Marks(msgspec.Struct, forbid_unknown_fields=True):
    data: list[Item]


@post("/marks", status_code=204)
async def marks(data: JSONBody[Marks]) -> None:
    del data


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"data": [{"message": "x"}]}', "data.0.message"),
        ('{"data": [{"message": 1}, {"message": 1, "seq": 2}]}', "data.1.seq"),
        ('{"data": [{}]}', "data.0.message"),
        ('{"data": 7}', "data"),
        ('{"dat": []}', "dat"),
        ("{}", "data"),
        ("[]", ""),
    ],
)
async def test_faults_name_their_field_however_deep(body: str, field: str) -> None:
    app = Litestar(
        [marks],
        request_class=StrictRequest,
        exception_handlers={Exception: answer},
        openapi_config=None,
        logging_config=None,
    )
    async with serving(app) as client:
        answered = await client.post("/marks", content=body)
    [fault] = problem(answered, 400, "invalid")["errors"]
    assert fault["field"] == field
    assert fault["message"]


@pytest.mark.parametrize(
    "path", ["/nope", f"{API}/nope", f"{API}/users/x/y/z", "/favicon.ico", "/docs/nope/nope", "//"]
)
async def test_an_unknown_path_is_a_problem(api: Client, path: str) -> None:
    problem(await api.get(path), 404, "not_found")


async def test_a_wrong_method_names_the_right_ones(api: Client) -> None:
    answered = await api.delete(f"{API}/login/")
    problem(answered, 405, "method_not_allowed")
    assert "POST" in answered.headers["allow"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"email":',
        b"{'email': 1}",
        b'{"email": "\xff\xfe"}',
        b'{"email": "\\ud800"}',
        b"\x00",
        json.dumps({"email": "ada@example.org", "password": "x"}).encode() + b"}",
    ],
)
async def test_what_is_no_json_is_malformed(api: Client, body: bytes) -> None:
    problem(await api.post(f"{API}/login/", content=body), 400, "malformed")


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"email":' * 10_000, b'{"email": null}}'])
async def test_what_is_of_another_type_is_read_no_further(api: Client, body: bytes) -> None:
    problem(await api.post(f"{API}/login/", content=body), 400, "invalid")


async def test_no_body_is_said_to_be_missing(api: Client) -> None:
    body = problem(await api.post(f"{API}/login/"), 400, "invalid")
    assert body["errors"] == [{"field": "", "message": "A JSON object is required."}]


async def test_too_large_a_body_is_refused(api: Client) -> None:
    answered = await api.post(f"{API}/login/", content=b'{"email": "' + b"x" * 300_000 + b'"}')
    problem(answered, 413, "too_large")


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "x"]
)
async def test_a_body_that_says_it_is_no_json_is_refused(api: Client, kind: str) -> None:
    answered = await api.post(f"{API}/login/", content=b'{"email": "x"}', headers={"Content-Type": kind})
    problem(answered, 415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON", None])
async def test_json_is_json_however_it_is_written(api: Client, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answered = await api.post(f"{API}/login/", content=b'{"email": "x", "password": "y"}', headers=headers)
    problem(answered, 401, "invalid_credentials")


async def test_without_a_body_the_type_does_not_matter(api: Client) -> None:
    ada = await join(api)
    answered = await api.get(f"{API}/me/", headers={**ada.headers, "Content-Type": "text/plain"})
    assert answered.status_code == 200


async def test_details_do_not_quote_the_address_asked_for(api: Client) -> None:
    ada = await join(api)
    answered = await api.get(f"{API}/users/", params={"limit": "0", "cursor": "canary"}, headers=ada.headers)
    problem(answered, 400, "invalid")
    assert "canary" not in answered.text
    assert "http" not in answered.text


async def test_who_hangs_up_before_the_end_of_a_body_is_no_error_of_ours() -> None:
    @post("/")
    async def route(data: JSONBody[dict[str, int]]) -> None: ...

    app = Litestar(
        [route],
        request_class=StrictRequest,
        exception_handlers={Exception: answer},
        openapi_config=None,
        logging_config=None,
    )
    said = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(said)

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"9")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "app": app,
    }
    with capture_logs() as logs:
        await app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert logs == []
