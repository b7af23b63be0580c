"""CORS for REST, with the same origin rules as sockets (`app.domain.origins`)."""

from __future__ import annotations

from functools import cached_property

from litestar.config.cors import CORSConfig

from app.domain.origins import Origins


class SharedOrigins(CORSConfig):
    """Replaces Litestar's matching, in which `*` matches any character, even a port or another host's name."""

    @cached_property
    def _known(self) -> Origins:
        return Origins(self.allow_origins)

    def is_origin_allowed(self, origin: str) -> bool:
        return self._known.allows(origin)
