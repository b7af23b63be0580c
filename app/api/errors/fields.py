"""Translates parser errors about a body or parameter into `{field, message}`; a message says what the field must be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

_FIELD_ERROR = re.compile(r"^Object (contains unknown|missing required) field `([^`]*)`")
_INDEX = re.compile(r"\[(\d+|\.\.\.)\]")
_BOUND = re.compile(r"Expected `(\w+)` (of length )?(>=|<=|>|<) (-?[0-9.]+)")

MISSING: Final = "Must be given."
UNKNOWN: Final = "Must be left out: there is no such field."
NO_BODY: Final = "'data'"
MAX_LENGTH: Final = 200

_MESSAGES: Final = {"contains unknown": UNKNOWN, "missing required": MISSING}
_TYPES: Final = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "uuid": "an id",
    "datetime": "a time",
}
_KNOWN: Final = {
    "Invalid UUID": "Must be an id (a UUID).",
    "Invalid RFC3339 encoded datetime": "Must be a time such as 2026-05-04T09:00:00Z.",
}
_BOUNDS: Final = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
_COUNTED: Final = {"str": "characters", "array": "items", "object": "entries"}


class FieldError(msgspec.Struct, frozen=True):
    """`field` is a path such as `data.0.message`; it is empty if the error concerns the whole body."""

    field: str
    message: str

    def bounded(self) -> FieldError:
        """Returns the error with its texts truncated: a client chooses the name of an unknown field."""
        return FieldError(self.field[:MAX_LENGTH], self.message[:MAX_LENGTH])


def field_errors(extra: Any) -> list[FieldError]:
    """Returns the errors that Litestar's ValidationException carries in `extra`."""
    errors = extra if isinstance(extra, list) else []
    return [_field_error(error) for error in errors if isinstance(error, FieldError | Mapping)]


def _field_error(error: FieldError | Mapping[str, Any]) -> FieldError:
    if isinstance(error, FieldError):
        return error
    # A parameter named like a Python keyword has a trailing `_` (`from_`).
    field, message = _INDEX.sub(r".\1", str(error.get("key", ""))).removesuffix("_"), str(error.get("message", ""))
    if message == NO_BODY:
        return FieldError("", "Must be a JSON object.")  # Litestar's name for the whole body
    if matched := _FIELD_ERROR.match(message):
        field = f"{field}.{matched[2]}" if field else matched[2]
        message = _MESSAGES[matched[1]]
    else:
        message = sentence_of(message)
    return FieldError(field, message).bounded()


def sentence_of(message: str, *, allowed: Sequence[str] = ()) -> str:
    """Returns what the field must be, from the parser's message. `allowed`: the values of an enumeration."""
    if message.startswith("Invalid enum value"):
        return f"Must be one of {', '.join(allowed)}." if allowed else "Must be one of the documented values."
    if matched := _BOUND.fullmatch(message):
        kind, of_length, comparison, number = matched.groups()
        if not of_length:
            return f"Must be {_BOUNDS[comparison]} {number}."
        if (comparison, number) == (">=", "1"):
            return "Must not be empty."
        return f"Must have {_BOUNDS[comparison]} {number} {_COUNTED.get(kind, 'bytes')}."
    wanted, separator, received = message.removeprefix("Expected ").partition(", got ")
    if separator:
        return f"Must be {_named(wanted)}, not {_named(received)}."
    return _KNOWN.get(message, "Must have the documented form.")


def _named(kinds: str) -> str:
    return " or ".join(_TYPES.get(kind, kind) for kind in kinds.strip("`").split(" | "))
