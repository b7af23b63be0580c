"""Every error is an RFC 9457 problem, from every layer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from litestar import Litestar, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import (
    ClientException,
    InternalServerException,
    NotAuthorizedException,
    PermissionDeniedException,
    ServiceUnavailableException,
)
from structlog.testing import capture_logs

from app.api.errors.codes import STATUSES
from app.api.errors.problems import answer
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
        (errors.Unprocessable, 422),
        (errors.Unavailable, 503),
        (errors.OutcomeUnknown, 503),
    ],
)
@pytest.mark.parametrize("in_cleanup", [False, True])
async def test_each_error_of_the_domain_has_one_answer(
    raising: tuple[Raising, Client], kind: type[ChatError], status: int, in_cleanup: bool
) -> None:
    app, client = raising
    app.error, app.raise_in_cleanup = kind, in_cleanup
    answered = await client.get("/raise")
    body = problem(answered, status, kind.code)
    assert body["detail"] == kind.detail
    assert ("www-authenticate" in answered.headers) == (status == 401)
    assert answered.headers.get("retry-after") == ("1" if status == 503 else None)


async def test_a_problem_carries_the_code_and_fields_of_its_error(
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
async def test_a_500_reveals_nothing_and_is_logged_in_full(
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


async def test_a_single_error_in_a_group_is_the_problem(
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
async def test_errors_of_the_framework_are_problems(
    raising: tuple[Raising, Client], error: Exception, status: int, code: str
) -> None:
    app, client = raising
    app.error = lambda: error
    problem(await client.get("/raise"), status, code)


async def test_a_recursion_error_is_a_500(
    raising: tuple[Raising, Client],
) -> None:
    app, client = raising
    app.error = lambda: RecursionError("maximum recursion depth exceeded")
    problem(await client.get("/raise"), 500, "internal")


@pytest.mark.parametrize(
    "path", ["/nope", f"{API}/nope", f"{API}/users/x/y/z", "/favicon.ico", "/docs/nope/nope", "/nothing//"]
)
async def test_an_unknown_path_is_a_problem(api: Client, path: str) -> None:
    problem(await api.get(path), 404, "not_found")


async def test_a_405_lists_the_allowed_methods(api: Client) -> None:
    answered = await api.delete(f"{API}/login/")
    problem(answered, 405, "method_not_allowed")
    assert answered.headers["allow"] == "OPTIONS, POST"
    answered = await api.post("/livez")
    problem(answered, 405, "method_not_allowed")
    assert answered.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_a_detail_does_not_quote_the_url(api: Client) -> None:
    ada = await join(api)
    answered = await api.get(f"{API}/users/", params={"limit": "0", "cursor": "canary"}, headers=ada.headers)
    problem(answered, 400, "invalid")
    assert "canary" not in answered.text
    assert "http" not in answered.text
