"""Answers OPTIONS with every method of the path; Litestar's own answer lists only the one registered first."""

from __future__ import annotations

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.response.base import ASGIResponse
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, Receive, Scope, Send

from app.api.errors.problems import allow


class OptionsRequests(ASGIMiddleware):
    """Answers 204 with `Allow`. It runs behind authentication, which counts the request."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if scope.get("method") != "OPTIONS":
            await next_app(scope, receive, send)
            return
        path = scope["path_template"]  # same form as `path_format`: parameters without types
        routes = [route for route in scope["litestar_app"].routes if isinstance(route, HTTPRoute)]
        methods = {str(method) for route in routes if route.path_format == path for method in route.methods}
        answer = ASGIResponse(status_code=204, headers={"Allow": allow(methods)})
        await answer(scope, receive, send)
