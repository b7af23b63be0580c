"""Translates parser errors about a body or parameter into `{field, message}`, in the words of the API contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

_NAMED = re.compile(r"^Object (contains unknown|missing required) field `([^`]*)`")
_INDEX = re.compile(r"\[(\d+|\.\.\.)\]")
_PLAIN = {"contains unknown": "Is not known here.", "missing required": "Is required."}
_TYPES = {
    "`str`": "text",
    "`int`": "a whole number",
    "`float`": "a number",
    "`bool`": "true or false",
    "`array`": "a list",
    "`object`": "an object",
    "`null`": "null",
    "`uuid`": "an id",
}
NO_BODY = "'data'"
MAX_ERRORS = 200


class FieldError(msgspec.Struct, frozen=True):
    """`field` is a path such as `data.0.message`; it is empty if the error concerns the whole body."""

    field: str
    message: str


def field_errors(extra: Any) -> list[FieldError]:
    """Returns the errors that Litestar's ValidationException carries in `extra`."""
    given = extra if isinstance(extra, list) else []
    return [_fault(one) for one in given if isinstance(one, Mapping)]


def _fault(one: Mapping[str, Any]) -> FieldError:
    # A parameter named like a Python keyword has a trailing `_` (`from_`).
    field, message = _INDEX.sub(r".\1", str(one.get("key", ""))).removesuffix("_"), str(one.get("message", ""))
    named = _NAMED.match(message)
    if message == NO_BODY:
        field = ""  # Litestar's name for the whole body; with any other message "data" is a field
    if named:
        field = f"{field}.{named[2]}" if field else named[2]
        message = _PLAIN[named[1]]
    elif message == NO_BODY:
        message = "A JSON object is required."
    for kind, words in _TYPES.items():
        message = message.replace(kind, words)
    return FieldError(field[:MAX_ERRORS], message[:MAX_ERRORS])
