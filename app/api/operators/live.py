"""What the deployment does now, for operators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from litestar import Controller, get
from litestar.di import NamedDependency

from app.api.errors.problems import documented
from app.api.middleware.authentication import OPERATORS
from app.domain.error_catalogue import path_not_found
from app.domain.operators.live_figures import LiveFigures


class LiveController(Controller):
    tags = ("Operators",)
    opt = OPERATORS
    path = "/ops"

    @get(
        "/live",
        operation_id="showLive",
        summary="Get what the whole deployment does now",
        description=(
            "API processes report every five seconds, so a change is at most five seconds old. Rates and counts are "
            "of a recent period, counted by each process and added up here: nothing has to be computed from "
            "differences, and a process that ends or starts changes no rate. A server that does not answer makes its "
            "figures null, not this request fail."
        ),
        responses=documented(path_not_found),
    )
    async def live(self, live_figures: NamedDependency[Callable[[], Awaitable[LiveFigures]]]) -> LiveFigures:
        return await live_figures()
