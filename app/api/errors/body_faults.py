"""Finds every fault of a request body, where the parser stops at the first: a form shows all of them at once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec

from app.api.errors.fields import MISSING, UNKNOWN, FieldError, sentence_of
from app.domain.errors import Invalid
from app.domain.validation import RULE, Rule

MOST_FAULTS: Final = 20
"""Faults reported of one body: a body of a hundred thousand unknown fields must not cause an answer of megabytes."""


def faults_of(body: Any, kind: Any) -> list[FieldError]:
    """Returns the faults of a decoded JSON `body` that is not a `kind`, at most `MOST_FAULTS`."""
    return list(islice(_faults(body, kind, ""), MOST_FAULTS))


def _faults(value: Any, kind: Any, place: str) -> Iterator[FieldError]:
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if isinstance(value, dict) and isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        yield from _faults_of_fields(value, bare, place)
        return
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        found = _faults_of_items(value, bare, place) if isinstance(value, list) else ()
        first = next(iter(found), None)
        if first is None:
            message = str(error).rpartition(" - at `$")[0] or str(error)
            yield FieldError(place, sentence_of(message, allowed=list(_allowed(kind)))).bounded()
        else:
            yield first
            yield from found
        return
    if value is not None:
        yield from _broken_rules(value, kind, place)


def _faults_of_fields(value: dict[str, Any], kind: type[msgspec.Struct], place: str) -> Iterator[FieldError]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    if kind.__struct_config__.forbid_unknown_fields:
        for name in value:
            if name not in fields:
                yield FieldError(_inside(place, name), UNKNOWN).bounded()
    for name, field in fields.items():
        if name in value:
            yield from _faults(value[name], field.type, _inside(place, name))
        elif field.required:
            yield FieldError(_inside(place, name), MISSING)


def _faults_of_items(value: list[Any], kind: Any, place: str) -> Iterator[FieldError]:
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        for index, one in enumerate(value):
            yield from _faults(one, item, _inside(place, str(index)))


def _broken_rules(value: Any, kind: Any, place: str) -> Iterator[FieldError]:
    for rule in _rules(kind):
        try:
            rule(value, place)
        except Invalid as error:
            yield from (FieldError(place, message) for _, message in error.errors)


def _rules(kind: Any) -> Iterator[Rule]:
    """Yields the rules of the domain that a field's type names (`app.domain.validation.RULE`)."""
    for part in get_args(kind):
        if isinstance(part, msgspec.Meta):
            if part.extra and RULE in part.extra:
                yield part.extra[RULE]
        else:
            yield from _rules(part)


def _allowed(kind: Any) -> Iterator[str]:
    """Yields the values of the Literal in `kind`."""
    for part in get_args(kind):
        if get_origin(kind) is Literal:
            yield str(part)
        else:
            yield from _allowed(part)


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
