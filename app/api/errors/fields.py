"""Translates parser errors about a body or parameter into `{field, message}`, in the words of the API contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

_FIELD_ERROR = re.compile(r"^Object (contains unknown|missing required) field `([^`]*)`")
_INDEX = re.compile(r"\[(\d+|\.\.\.)\]")
_MESSAGES = {"contains unknown": "Is not a known field.", "missing required": "Is required."}
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
MAX_LENGTH = 200


class FieldError(msgspec.Struct, frozen=True):
    """`field` is a path such as `data.0.message`; it is empty if the error concerns the whole body."""

    field: str
    message: str


def field_errors(extra: Any) -> list[FieldError]:
    """Returns the errors that Litestar's ValidationException carries in `extra`."""
    errors = extra if isinstance(extra, list) else []
    return [_field_error(error) for error in errors if isinstance(error, Mapping)]


def _field_error(error: Mapping[str, Any]) -> FieldError:
    # A parameter named like a Python keyword has a trailing `_` (`from_`).
    field, message = _INDEX.sub(r".\1", str(error.get("key", ""))).removesuffix("_"), str(error.get("message", ""))
    matched = _FIELD_ERROR.match(message)
    if message == NO_BODY:
        field = ""  # Litestar's name for the whole body; with any other message "data" is a field
    if matched:
        field = f"{field}.{matched[2]}" if field else matched[2]
        message = _MESSAGES[matched[1]]
    elif message == NO_BODY:
        message = "A JSON object is required."
    for kind, name in _TYPES.items():
        message = message.replace(kind, name)
    return FieldError(field[:MAX_LENGTH], message[:MAX_LENGTH])
