"""Query parameters of every list."""

from __future__ import annotations

from typing import Annotated

from litestar.params import QueryParameter

Limit = Annotated[int, QueryParameter(ge=1, le=100, description="At most so many items.")]
Cursor = Annotated[str | None, QueryParameter(description="`next` of the page before; opaque.")]
