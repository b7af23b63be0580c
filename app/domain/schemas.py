"""Views: what clients see of the rows. No view depends on its reader, unless its docstring says so.

One encoding of a message therefore serves REST pages, the cache, the bus and every socket.
"""

from __future__ import annotations

import msgspec


class View(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all views: immutable, named fields, encoded in the order declared."""


class Page(View, frozen=True, kw_only=True):
    """`next` is the `cursor` parameter of the following page, or null on the last page."""

    items: list[msgspec.Raw]
    next: str | None
