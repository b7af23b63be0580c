"""The table of codes holds all that is raised, with the status it is answered with, and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from app.api.errors.codes import CODES
from app.api.errors.problems import CODES as OF_HTTP
from app.api.errors.problems import STATUSES
from app.domain import errors
from app.domain.errors import ChatError, Throttled
from app.server.refusals import NAMES

APP = Path(errors.__file__).parents[1]
KINDS = {kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type)}
ONLY_ON_SOCKETS = {"another_login", "too_many_resumes", "invalid_ticket"}
MADE_BY_HAND = {"400 foreign_origin", "400 unknown_host", "500 internal"}


def status_of(kind: type) -> int:
    return next(STATUSES[base] for base in kind.__mro__ if base in STATUSES)


def raised() -> Iterator[tuple[str, int]]:
    """(code, status) of every error that is made anywhere in the program."""
    for file in APP.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(code)), *_]):
                    yield from made(name, code)
                case ast.Call(func=ast.Name(id=name)) | ast.Raise(exc=ast.Name(id=name)):
                    yield from made(name, None)


def made(name: str, code: str | None) -> Iterator[tuple[str, int]]:
    kind = KINDS.get(name)
    if kind in (None, ChatError) or not issubclass(kind, ChatError):
        return
    # What stands first in a Throttled is its policy.
    yield kind.code if code is None or kind is Throttled else code, status_of(kind)


def test_every_code_that_is_raised_is_in_the_table_with_its_status() -> None:
    found = {f"{status} {code}" for code, status in raised() if code not in ONLY_ON_SOCKETS}
    assert len(found) > 25
    assert found - CODES.keys() == set()


def test_every_code_of_the_table_is_raised_somewhere() -> None:
    found = {f"{status} {code}" for code, status in raised()}
    found |= {f"{status} {code}" for status, code in OF_HTTP.items()}
    found |= {"503 database_unavailable"}  # app.db names it once
    assert CODES.keys() - found - MADE_BY_HAND - set(NAMES) == set()
    assert sorted(CODES) == list(CODES)
