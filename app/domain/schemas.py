"""What the world sees of the rows. Nothing in a view depends on who reads it, but where its docstring says so.

So one encoding of a message serves REST pages, the cache, the bus and every socket.
"""

from __future__ import annotations

import msgspec


class View(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all views: immutable, named fields, encoded in the order declared."""


class Page(View, frozen=True, kw_only=True):
    """`next` goes into `?cursor=` for the following page, or is null on the last."""

    items: list[msgspec.Raw]
    next: str | None
