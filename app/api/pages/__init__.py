"""Web pages: what the links in mails open, and the web app. No other host, no secret in any URL sent to the server."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Controller, MediaType, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from app.api.middleware.authentication import PUBLIC
from app.api.static_files import static_files

HERE = Path(__file__).parent
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
        """Redirects the bare address to the guide."""
        return Redirect("/guide/")


def account_page(app_name: str, frontend_url: str, *, web_ui: bool) -> HTTPRouteHandler:
    """Returns the page's route handler. It is rendered once, because it is the same for everyone: the token of a mail's
    link stays in the browser. Its links lead to FRONTEND_URL or, without one, to the web app if that is served."""
    home, login = (
        (frontend_url, f"{frontend_url}/login") if frontend_url else ("./", "./#/login") if web_ui else ("", "")
    )
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
    template = environment.get_template("account.html.jinja")
    rendered = template.render(app_name=app_name, home=home, login=login).encode()

    @get("/account", opt=PUBLIC, include_in_schema=False, media_type=MediaType.HTML, name="account_page")
    async def account() -> Response[bytes]:
        return Response(rendered, media_type=MediaType.HTML, headers={"content-security-policy": POLICY})

    return account


assets = static_files("/account/assets", HERE / "assets")
