"""The catalogue declares every error once: what is raised is declared; what is declared is raised and documented."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.support.published import Json, app, document

__all__ = ["app", "document"]

from app.api.errors import codes
from app.api.errors.codes import CODES, ON_SOCKETS, STATUSES, HttpError, status_of
from app.api.errors.problems import OF_HTTP
from app.domain import errors
from app.domain.error_catalogue import CATALOGUE, conversation_not_found, message_not_found, path_not_found
from app.domain.errors import ChatError

APP = Path(errors.__file__).parents[1]
DECLARING = {"domain/errors.py", "domain/error_catalogue.py", "api/errors/codes.py"}
KINDS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ChatError)}
HTTP_ERRORS = {name: error for name, error in vars(codes).items() if isinstance(error, HttpError)}
REALTIME = APP.parent / "docs" / "realtime.md"


def modules() -> Iterator[tuple[str, ast.Module]]:
    """(name, syntax tree) of the modules that raise errors and do not declare them."""
    for file in sorted(APP.rglob("*.py")):
        name = file.relative_to(APP).as_posix()
        if name not in DECLARING:
            yield name, ast.parse(file.read_text(encoding="utf-8"))


def called(node: ast.expr | None) -> str | None:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return None


def made_by_hand(tree: ast.Module) -> Iterator[str]:
    """The kinds of errors that a module constructs itself. `Throttled` carries its policy: its class is its entry."""
    for node in ast.walk(tree):
        kind = called(node.func if isinstance(node, ast.Call) else node.exc if isinstance(node, ast.Raise) else None)
        if kind in KINDS - {"Throttled"}:
            yield kind


def used(tree: ast.AST) -> Iterator[str]:
    """Names that a module uses, other than those it imports, passes to `documented` or lists in an `OF_…` constant."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call) and called(node.func) == "documented":
            continue
        if isinstance(node, ast.Assign) and (called(node.targets[0]) or "").startswith("OF_"):
            continue
        if isinstance(node, ast.Name | ast.Attribute) and (name := called(node)):
            yield name
        yield from used(node)


def documented_codes(document: Json) -> set[str]:
    """All pairs "status code" of the OpenAPI document."""
    return {
        f"{status} {code}"
        for operations in document["paths"].values()
        for operation in operations.values()
        for status, response in operation["responses"].items()
        for code in response.get("content", {}).get("application/problem+json", {}).get("examples", ())
    }


def without(names: Iterable[str], others: Iterable[str]) -> list[str]:
    return sorted(set(names) - set(others))


def test_every_code_that_is_raised_is_in_the_catalogue() -> None:
    assert [f"{name}: {kind}" for name, tree in modules() for kind in made_by_hand(tree)] == []
    assert len(CATALOGUE) > 60


@pytest.mark.parametrize(
    "line",
    [
        'raise Conflict("full", "It is full.")',
        "raise Unavailable",
        "raise errors.NotFound from error",
        "answers = [errors.Unprocessable()]",
    ],
)
def test_an_error_made_by_hand_is_found(line: str) -> None:
    assert len(list(made_by_hand(ast.parse(line)))) >= 1


def test_every_error_of_the_catalogue_is_raised_somewhere() -> None:
    names = {name for _, tree in modules() for name in used(tree)}
    assert without(CATALOGUE, names) == []
    raised_by_status = {name for name, error in HTTP_ERRORS.items() if error in OF_HTTP.values()}
    assert without(HTTP_ERRORS, names | raised_by_status | {"THROTTLED"}) == []


def test_documenting_an_error_is_not_raising_it() -> None:
    tree = ast.parse(
        "from app.domain.error_catalogue import busy\n"
        "OF_MEMBERS = (busy, idle)\n"
        "responses = documented(busy, *OF_MEMBERS)\n"
        "raise full()"
    )
    assert set(used(tree)) == {"responses", "full"}


def test_every_error_of_the_catalogue_is_documented(document: Json) -> None:
    assert without(CODES, documented_codes(document) | BEFORE_ANY_ROUTE) == []
    described = REALTIME.read_text(encoding="utf-8")
    assert [code for code in ON_SOCKETS - {"invalid_ticket"} if f"`{code}`" not in described] == []


BEFORE_ANY_ROUTE = {
    "400 foreign_origin",
    "403 forbidden",
    "405 method_not_allowed",
    "408 request_timeout",
    "409 unplugged",
    "414 url_too_long",
    "426 upgrade_required",
    "431 head_too_large",
    "500 internal",
    "501 unknown_transfer_coding",
    "503 too_many_connections",
}
"""What the server or a middleware answers before a route is known, what no route intends, what the socket's path
answers, which the OpenAPI document leaves to the AsyncAPI document, and what the plug of development answers, which is
in neither."""


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/api/v1/conversations/{conversation_id}", conversation_not_found.detail),
        ("/api/v1/conversations/{conversation_id}/messages/{message_id}", message_not_found.detail),
        ("/api/v1/ops/audit", path_not_found.detail),
    ],
)
def test_of_errors_with_the_same_code_a_route_documents_its_own(document: Json, path: str, sentence: str) -> None:
    examples = document["paths"][path]["get"]["responses"]["404"]["content"]["application/problem+json"]["examples"]
    assert examples["not_found"]["value"]["detail"] == sentence


def test_the_codes_have_the_status_of_their_kind() -> None:
    assert sorted(set(CODES)) == list(CODES)
    for entry in CATALOGUE.values():
        assert (f"{status_of(entry.kind)} {entry.code}" in CODES) is not (entry.code in ON_SOCKETS)
    assert {int(name[:3]) for name in CODES} >= set(STATUSES.values())


def test_every_sentence_of_an_error_is_one() -> None:
    for sentence in [
        *(error.detail for error in HTTP_ERRORS.values()),
        *(entry.detail for entry in CATALOGUE.values()),
    ]:
        assert sentence[-1] == ".", sentence
        assert sentence[0].isupper() or sentence.split()[0] in ("limit", "reply_to", "before"), sentence
