"""What all tables share: the declarative bases and Postgres's clock.

Order never comes from a clock (`seq` and `position` do that), but "what moved lately" does: an indexed ten-second
*bucket* of Postgres's own clock. A bucket and not a timestamp, because an index on a column that every send moves
would end heap-only updates of the row (measured: HOT 99 % with the bucket, 0 % with the timestamp).
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
    "UNSYNCHRONIZED",
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
"""What a reading statement runs on: a transaction's session, or a connection when it is the only statement."""

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
"""A row of whatever was selected, read by its labels."""


# What the driver gives is what is meant. The library's own types look at every value once more, in Python: of a list
# that is read, it was a fifth.
orm_registry.update_type_annotation_map({UUID: Uuid()})


class DateTimeUTC(types.DateTimeUTC):
    """A time with its zone. What is read is in UTC, as every connection's session is (`app.db`)."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        """None: the driver's values are taken as they are."""


class Entity(DefaultBase):
    """A row with a UUIDv7 of its own. Not the library's `UUIDv7Base`: that adds a sentinel column to each table."""

    __abstract__ = True

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)


metadata = orm_registry.metadata

BUCKET_SECONDS = 10
_TRIGRAM = re.compile(r"[^\W_]{3}")

UNSYNCHRONIZED = {"synchronize_session": False}
"""For UPDATE and DELETE: no object of the session is looked through for rows that they change."""


def contains(text: Any, part: str) -> ColumnElement[bool]:
    """Without case; wildcards in `part` are only characters."""
    return like(text, containing(part))


def like(text: Any, pattern: Any) -> ColumnElement[bool]:
    """Whether `pattern` fits `text`, without case, as Postgres (and so the trigram indexes) sees it."""
    return func.lower(text).like(func.lower(pattern), escape="\\")


def containing(part: str) -> str:
    """The pattern of texts with `part` in them."""
    return f"%{_literally(part)}%"


def has_trigram(part: str) -> bool:
    """Whether an index of trigrams finds texts with `part` in them: it has three letters or digits in a row."""
    return _TRIGRAM.search(part) is not None


def matching(part: str) -> str:
    """The pattern of texts with `part` in them, or, without a trigram, that begin with it: so that an index of
    trigrams or one of beginnings finds them, and no search reads all rows."""
    return containing(part) if has_trigram(part) else f"{_literally(part)}%"


def _literally(part: str) -> str:
    return "".join(f"\\{character}" if character in "\\%_" else character for character in part)


def bucket_now() -> ColumnElement[int]:
    """The current ten-second bucket of Postgres's clock, as an SQL expression."""
    return cast(func.floor(func.extract("epoch", func.clock_timestamp()) / BUCKET_SECONDS), Integer)
