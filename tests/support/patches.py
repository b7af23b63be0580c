"""Undoes what a library patches in others, so that a test that starts it leaves the process unchanged."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import Any

Place = tuple[ModuleType | type, str]


@contextmanager
def undone(library: str) -> Iterator[None]:
    """Restores each attribute of a module or class outside `library` that is a function of `library` at the end."""
    before = {(id(owner), name): value for (owner, name), value in _attributes(library)}
    try:
        yield
    finally:
        for owner, name in patched(library):
            if (id(owner), name) in before:
                setattr(owner, name, before[id(owner), name])


def patched(library: str) -> list[Place]:
    """Returns where a function of `library` stands in a module or class of another, imported by name or patched in."""
    return [place for place, value in _attributes(library) if _is_of(library, value)]


def _attributes(library: str) -> Iterator[tuple[Place, Any]]:
    def foreign(name: object) -> bool:
        return str(name).partition(".")[0] != library

    loaded = list(sys.modules.items())
    modules = [module for name, module in loaded if foreign(name) and isinstance(module, ModuleType)]
    values = [value for module in modules for value in list(vars(module).values())]
    classes = {id(value): value for value in values if isinstance(value, type) and foreign(value.__module__)}
    owners: list[ModuleType | type] = [*modules, *classes.values()]
    for owner in owners:
        for name, value in list(vars(owner).items()):
            yield (owner, name), value


def _is_of(library: str, value: Any) -> bool:
    function = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
    return isinstance(function, FunctionType) and f"/site-packages/{library}/" in function.__code__.co_filename
