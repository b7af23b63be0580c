"""Schemas of views and frames: msgspec's, which also validates and encodes, with what it leaves open filled in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from inspect import cleandoc
from typing import Any, Final, get_args

import msgspec

Json = dict[str, Any]

PREFIX: Final = "#/components/schemas/"


def schemas_of(kinds: Iterable[type[msgspec.Struct]]) -> Json:
    """The schemas of `kinds` and of what is inside them, by name."""
    kinds = set(kinds)
    _, schemas = msgspec.json.schema_components(kinds, ref_template=PREFIX + "{name}")
    for kind in _all_structs(kinds):
        _refine(schemas[kind.__name__], kind)
    return {name: schemas[name] for name in sorted(schemas)}


def _all_structs(kinds: set[type[msgspec.Struct]]) -> Iterator[type[msgspec.Struct]]:
    """These and those inside them."""
    seen: set[object] = set()
    waiting: list[Any] = list(kinds)
    while waiting:
        kind = waiting.pop()
        if kind in seen:
            continue
        seen.add(kind)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield kind
            waiting += [field.type for field in msgspec.structs.fields(kind)]
        waiting += get_args(kind)


def _refine(schema: Json, kind: type[msgspec.Struct]) -> None:
    """What msgspec leaves open: times are RFC 3339, closed lists of words are text."""
    if "description" in schema:
        schema["description"] = cleandoc(schema["description"])
    for field in msgspec.structs.fields(kind):
        told = schema["properties"][field.encode_name]
        for one in (told, *told.get("anyOf", ())):
            if "enum" in one:
                one["type"] = "string"
            if one.get("type") == "string" and datetime in (field.type, *get_args(field.type)):
                one["format"] = "date-time"
