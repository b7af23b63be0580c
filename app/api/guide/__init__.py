"""/guide/: the documents as a site, which `make guide` writes to `site`. It loads nothing from other hosts.

Its pages contain inline scripts of the theme. The policy names each by its digest, so no other inline script runs.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response, get
from litestar.params import FromPath
from litestar.response import Redirect

from app.api.middleware.authentication import PUBLIC
from app.api.static_files import StaticBody, media_type_of
from app.domain.error_catalogue import path_not_found

SITE: Final = Path(__file__).parent / "site"
PATH: Final = "/guide/"
INDEX: Final = "index.html"


def policy(pages: Iterable[bytes]) -> str:
    """Returns the content security policy of `pages`. The search runs in a worker, which has the policy of its file."""
    digests = sorted({b64encode(sha256(script).digest()).decode() for page in pages for script in _scripts(page)})
    scripts = " ".join(["'self'", *(f"'sha256-{digest}'" for digest in digests)])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


def _scripts(page: bytes) -> list[bytes]:
    return [after.partition(b"</script>")[0] for after in page.split(b"<script>")[1:]]


def _files(directory: Path) -> dict[str, StaticBody]:
    """Returns the files by path. Only these names exist, so no path leads out of the directory."""
    bodies = {path: path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}
    headers = {"Content-Security-Policy": policy(body for path, body in bodies.items() if path.suffix == ".html")}
    return {
        path.relative_to(directory).as_posix(): StaticBody(body, media_type_of(path), headers)
        for path, body in bodies.items()
    }


FILES: Final = _files(SITE)


@get("/guide", opt=PUBLIC, include_in_schema=False)
async def guide_index(request: Request[Any, Any, Any]) -> Response[bytes] | Redirect:
    """The index. Its links are relative, so its address must end with a slash, which Litestar removes from `path`."""
    if not request.scope["raw_path"].endswith(b"/"):
        return Redirect(PATH)
    return await FILES[INDEX].response(request)


@get("/guide/{file:path}", opt=PUBLIC, include_in_schema=False)
async def guide_file(file: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
    """One file of the site."""
    if (found := FILES.get(str(file).removeprefix("/"))) is None:
        raise path_not_found()
    return await found.response(request)


guide_pages: Final = (guide_index, guide_file)
