"""Origins of other pages as REST judges them: the same way as sockets do (`app.domain.origins`)."""

from __future__ import annotations

from functools import cached_property

from litestar.config.cors import CORSConfig

from app.domain.origins import Origins


class SharedOrigins(CORSConfig):
    """Litestar's own reading of a `*` would pass any character, a port or another host's name among them."""

    @cached_property
    def _known(self) -> Origins:
        return Origins(self.allow_origins)

    def is_origin_allowed(self, origin: str) -> bool:
        return self._known.know(origin)
