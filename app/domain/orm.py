"""Shared by all tables: the declarative bases and Postgres's clock.

Order never comes from a clock (`seq` and `position` define it), but recency does: an indexed ten-second *bucket* of
Postgres's own clock. It is not a timestamp, because an index on a column that every send updates would prevent
heap-only updates of the row (measured: HOT 99 % with the bucket, 0 % with the timestamp).
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias
from uuid import UUID

from advanced_alchemy import types
from advanced_alchemy.base import DefaultBase, orm_registry
from sqlalchemy import ColumnElement, Dialect, Integer, Row, Uuid, cast, func
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

__all__ = [
    "BUCKET_SECONDS",
    "AnyRow",
    "DateTimeUTC",
    "DefaultBase",
    "Entity",
    "Reader",
    "bucket_now",
    "containing",
    "contains",
    "has_trigram",
    "like",
    "matching",
    "metadata",
    "uuid7",
]


Reader: TypeAlias = AsyncSession | AsyncConnection
"""Runs a read-only statement: a transaction's session, or a connection if it is the only statement."""

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
"""A row of any selection, read by its labels."""


# Values are used as the driver returns them. The library's own types convert each one again in Python, which took a
# fifth of the time to read a list.
orm_registry.update_type_annotation_map({UUID: Uuid()})


class DateTimeUTC(types.DateTimeUTC):
    """A time with its zone. Values read are in UTC, the time zone of every connection (`app.db`)."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        """Returns None: the driver's values are used unchanged."""


class Entity(DefaultBase):
    """A row with its own UUIDv7. Not the library's `UUIDv7Base`, which adds a sentinel column to each table."""

    __abstract__ = True

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)


metadata = orm_registry.metadata

BUCKET_SECONDS = 10
_TRIGRAM = re.compile(r"[^\W_]{3}")


def contains(text: Any, part: str) -> ColumnElement[bool]:
    """Matches texts that contain `part`, ignoring case; wildcards in `part` are literal."""
    return like(text, containing(part))


def like(text: Any, pattern: Any) -> ColumnElement[bool]:
    """Matches `text` against `pattern`, ignoring case by Postgres's rules, as the trigram indexes do."""
    return func.lower(text).like(func.lower(pattern), escape="\\")


def containing(part: str) -> str:
    """Returns the pattern of texts that contain `part`."""
    return f"%{_escaped(part)}%"


def has_trigram(part: str) -> bool:
    """Returns whether `part` has three letters or digits in a row, so that a trigram index can find it."""
    return _TRIGRAM.search(part) is not None


def matching(part: str) -> str:
    """Returns the pattern of texts that contain `part` or, without a trigram, begin with it: a trigram or prefix
    index then serves every search, and none scans all rows."""
    return containing(part) if has_trigram(part) else f"{_escaped(part)}%"


def _escaped(part: str) -> str:
    return "".join(f"\\{character}" if character in "\\%_" else character for character in part)


def bucket_now() -> ColumnElement[int]:
    """The current ten-second bucket of Postgres's clock, as an SQL expression."""
    return cast(func.floor(func.extract("epoch", func.clock_timestamp()) / BUCKET_SECONDS), Integer)
