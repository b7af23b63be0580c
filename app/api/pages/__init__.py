"""Web pages that the links in mails open. No framework, no other host, no secret in any URL sent to the server."""

from __future__ import annotations

from pathlib import Path

from litestar import Controller, MediaType, Response, get
from litestar.response import Redirect

from app.api.middleware.authentication import PUBLIC
from app.api.static_files import static_files

HERE = Path(__file__).parent
ACCOUNT = (HERE / "account.html").read_bytes()
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class PagesController(Controller):
    path = "/"
    opt = PUBLIC
    include_in_schema = False

    @get("/", name="front_door")
    async def front_door(self) -> Redirect:
        """Redirects the bare address to the API documents."""
        return Redirect("/docs")

    @get("/account", media_type=MediaType.HTML)
    async def account(self) -> Response[bytes]:
        return Response(ACCOUNT, media_type=MediaType.HTML, headers={"content-security-policy": POLICY})


assets = static_files("/account/assets", HERE / "assets")
