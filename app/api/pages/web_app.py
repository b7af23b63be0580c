"""The web app at /, the operators' page at /ops and the socket console at /docs/try: the files of `app/web/site`.

`make web` builds them. They contain no secret and are the same for everyone: pages request from the API what they show.
Their links are relative, so a proxy may serve the chat below a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from app.api.middleware.authentication import PUBLIC
from app.api.static_files import StaticBody, media_type_of
from app.domain.error_catalogue import path_not_found

SITE: Final = Path(__file__).parents[2] / "web" / "site"
PAGES: Final = {"/": "index.html", "/ops": "ops.html", "/docs/try": "docs/try.html"}
"""The file of each page, by path."""
MANIFEST: Final = "manifest.webmanifest"
ASSETS: Final = "web-assets"
"""The folder, and first part of the path, of everything that the pages load from their own origin."""

POLICY: Final = (
    # Messages show images, audio and video from any https address.
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https:; media-src 'self' https:;"
    " connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none';"
    # No code of the pages parses HTML: an attempt fails even if a text slips through.
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
UNCHANGING: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
"""Of files whose name contains the digest of their content: a year, in seconds."""

_DIGEST: Final = re.compile(r"-[0-9a-f]{10}\.\w+$")
_BUILT_NAME: Final = "Chat"
"""What the built files call the chat."""


def web_app_pages(app_name: str, site: Path = SITE) -> list[HTTPRouteHandler]:
    """Returns the route handlers of the pages in `site`, and of all they load, under the name `app_name`.

    The files are read when the process starts. Only these names exist, so no path leads out of the directory.
    """
    pages = [_page(path, _named(site / file, app_name)) for path, file in PAGES.items() if (site / file).is_file()]
    return [*pages, _manifest(site / MANIFEST, app_name), _assets(site / ASSETS)]


def _page(path: str, html: bytes) -> HTTPRouteHandler:
    body = StaticBody(html, "text/html", {"Content-Security-Policy": POLICY})
    last = path.rpartition("/")[2]

    @get(path, opt=PUBLIC, include_in_schema=False, name=f"web app {path}")
    async def page(request: Request[Any, Any, Any]) -> Response[bytes] | Redirect:
        # The links of a page are relative: below /ops/ they would lead to nothing.
        if last and request.scope["raw_path"].endswith(b"/"):
            return Redirect(f"../{last}")
        return await body.response(request)

    return page


def _manifest(file: Path, app_name: str) -> HTTPRouteHandler:
    manifest = msgspec.json.decode(file.read_bytes())
    manifest |= {"name": app_name, "short_name": app_name}
    body = StaticBody(msgspec.json.encode(manifest), "application/manifest+json")

    @get(f"/{MANIFEST}", opt=PUBLIC, include_in_schema=False)
    async def web_manifest(request: Request[Any, Any, Any]) -> Response[bytes]:
        return await body.response(request)

    return web_manifest


def _assets(directory: Path) -> HTTPRouteHandler:
    files = dict(_bodies(directory))

    @get(f"/{ASSETS}/{{file:path}}", opt=PUBLIC, include_in_schema=False)
    async def web_asset(file: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
        if (found := files.get(str(file).removeprefix("/"))) is None:
            raise path_not_found()
        return await found.response(request)

    return web_asset


def _bodies(directory: Path) -> Iterator[tuple[str, StaticBody]]:
    for file in sorted(directory.rglob("*")):
        if file.is_file():
            headers = UNCHANGING if _DIGEST.search(file.name) else {}
            yield file.relative_to(directory).as_posix(), StaticBody(file.read_bytes(), media_type_of(file), headers)


def _named(file: Path, app_name: str) -> bytes:
    """Returns the page with the chat's name in its title and metadata."""
    name = escape(app_name)
    html = file.read_text()
    html = html.replace(
        f'<meta name="application-name" content="{_BUILT_NAME}">', f'<meta name="application-name" content="{name}">'
    )
    return html.replace(f"<title>{_BUILT_NAME}</title>", f"<title>{name}</title>").encode()
