"""Query parameters of every list."""

from __future__ import annotations

from typing import Annotated

from litestar.params import QueryParameter

Limit = Annotated[int, QueryParameter(ge=1, le=100, description="Maximum number of items.")]
Cursor = Annotated[str | None, QueryParameter(description="`next` of the previous page; opaque.")]
