"""Documents, pages and files that are the same for every caller: sent compressed, and only if they changed.

Only these are compressed. A compressed answer that contains both a secret and text of someone else's choosing reveals
the secret by its length (BREACH), so answers of the API stay as they are.
"""

from __future__ import annotations

import gzip
from asyncio import to_thread
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from mimetypes import MimeTypes
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from app.api.middleware.authentication import PUBLIC
from app.domain.error_catalogue import path_not_found

CACHING: Final = {
    # A cache may keep it, and asks each time whether it is still current: a new version of the chat shows at once.
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}
SHORTEST_COMPRESSED: Final = 1_000
"""Bytes. Below that a packet holds the original as well."""

TYPES: Final = MimeTypes()
TYPES.add_type("text/javascript", ".js")  # application/javascript in Python 3.11; the machine's own list may say either
TEXT: Final = "text/plain"
"""The type of files whose name says nothing, such as licences."""


class StaticBody:
    """One body with its compressed form, each with an ETag of its own (RFC 9110, 8.8.3.3)."""

    def __init__(self, body: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> None:
        self._body = body
        self._media_type = media_type
        self._headers = {**CACHING, **(headers or {})}
        self._digest = sha256(body).hexdigest()[:32]

    @cached_property
    def _compressed(self) -> bytes:
        return gzip.compress(self._body, compresslevel=9, mtime=0)

    async def response(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """Returns the body in the best form that the client accepts, or 304 if the client has it already."""
        compressed = len(self._body) >= SHORTEST_COMPRESSED and accepts_gzip(request.headers.get("accept-encoding", ""))
        tag = f'"{self._digest}-gzip"' if compressed else f'"{self._digest}"'
        headers = {**self._headers, "ETag": tag}
        if is_current(tag, request.headers.get("if-none-match", "")):
            return Response(b"", status_code=304, headers=headers, media_type=self._media_type)
        if not compressed:
            return Response(self._body, headers=headers, media_type=self._media_type)
        # Once for a process. In a thread: the largest takes a tenth of a second, in which sockets would wait.
        body = await to_thread(lambda: self._compressed)
        return Response(body, headers={**headers, "Content-Encoding": "gzip"}, media_type=self._media_type)


def static_files(path: str, directory: Path) -> HTTPRouteHandler:
    """Returns the handler of the files in `directory` and below, which are read when the process starts.

    Only these names exist, so no path leads out of the directory.
    """
    files = {
        file.relative_to(directory).as_posix(): StaticBody(file.read_bytes(), media_type_of(file))
        for file in sorted(directory.rglob("*"))
        if file.is_file()
    }

    @get(f"{path}/{{file:path}}", opt=PUBLIC, include_in_schema=False)
    async def static_file(file: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
        if (found := files.get(str(file).removeprefix("/"))) is None:
            raise path_not_found()
        return await found.response(request)

    return static_file


def media_type_of(file: Path) -> str:
    return TYPES.guess_type(file.name)[0] or TEXT


def accepts_gzip(accept_encoding: str) -> bool:
    """Returns whether the client names gzip with a weight above 0 (RFC 9110, 12.5.3)."""
    for one in accept_encoding.lower().split(","):
        coding, *parameters = one.replace(" ", "").split(";")
        if coding in ("gzip", "x-gzip"):
            return not any(parameter.startswith("q=") and not parameter[2:].strip("0.") for parameter in parameters)
    return False


def is_current(tag: str, if_none_match: str) -> bool:
    """Returns whether `If-None-Match` names the tag; strong and weak tags match alike (RFC 9110, 13.1.2)."""
    named = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    return tag in named or named == {"*"}
