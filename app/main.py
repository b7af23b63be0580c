"""The web's front door: controllers, authentication, channels, the error map, the life of the process. Nothing else."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, cast, get_args

from litestar import Litestar, Router
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ASGIApp

from app.api import documents, operators, pages
from app.api.accounts import AccountController, RegistrationController
from app.api.bodies import StrictRequest
from app.api.changes import ChangeController
from app.api.conversations import ConversationController
from app.api.headers import SecurityHeaders
from app.api.heads import Heads
from app.api.health import HealthController
from app.api.hosts import AllowedHosts
from app.api.logins import LoginController
from app.api.mailed import MailedController
from app.api.members import MemberController
from app.api.messages import MessageController
from app.api.notifications import NotificationController
from app.api.options import Options
from app.api.origins import SharedOrigins
from app.api.paths import Paths
from app.api.people import PeopleController
from app.api.preflights import Preflights
from app.api.problems import answer
from app.api.reading import ReadingController
from app.api.root import RootController
from app.api.second_factors import SecondFactorController
from app.api.strangers import Strangers
from app.db import Session
from app.realtime import frames, sockets, vocabulary
from app.server.limits import BODY_BYTES
from app.settings import Settings, load
from app.telemetry.requests import RequestLog
from app.wiring import Runtime

READABLE = ("Idempotency-Replayed", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id")
"""Headers of answers that a page of another origin may read; browsers would hide them."""

AnyConnection = ASGIConnection[Any, Any, Any, Any]

CONTROLLERS = (
    RootController,
    RegistrationController,
    AccountController,
    LoginController,
    MailedController,
    SecondFactorController,
    PeopleController,
    ConversationController,
    MemberController,
    ReadingController,
    NotificationController,
    ChangeController,
    MessageController,
)

SOCKET = documents.Vocabulary(
    path=sockets.PATH, said=get_args(frames.Said), told=vocabulary.TOLD, replies=vocabulary.REPLIES
)


def create_app(settings: Settings | None = None) -> Litestar:
    """The application, for `settings` or for those of the environment. Raises SettingsRefused."""
    runtime = Runtime(settings or load())

    async def transaction() -> AsyncGenerator[Session, None]:
        async with runtime.database.transaction() as session:
            yield session

    cors = SharedOrigins(
        allow_origins=list(runtime.settings.allowed_origins), expose_headers=list(READABLE), max_age=600
    )
    app = Litestar(
        [
            Router(
                "/api/v1",
                route_handlers=[*CONTROLLERS, *operators.CONTROLLERS],
                middleware=[runtime.authentication, Options()],
            ),
            HealthController,
            documents.DocumentsController,
            documents.assets,
            *documents.socket_pages(SOCKET, runtime.settings.public_url),
            pages.PagesController,
            pages.assets,
            runtime.live.route(),
        ],
        dependencies={"tx": Provide(transaction), **runtime.dependencies()},
        exception_handlers={Exception: answer},
        plugins=[runtime.bus.plugin],
        lifespan=[runtime.running],
        openapi_config=documents.openapi_config(),
        cors_config=cors,
        request_class=StrictRequest,
        request_max_body_size=BODY_BYTES,
        debug=runtime.settings.debug,
        state=State({"retiring": runtime}),
        logging_config=None,
    )
    # Around everything, unknown paths too: Litestar's own middleware sees known routes only.
    known = Preflights(Paths(cast("Any", app.asgi_handler)), cors.is_origin_allowed)
    named = AllowedHosts(known, runtime.settings.allowed_hosts)
    inner = Strangers(named, runtime.throttles, proxy_hops=runtime.settings.trusted_proxy_hops)
    log = RequestLog(Heads(SecurityHeaders(inner, https=runtime.settings.public_url.startswith("https://"))))
    app.asgi_handler = cast("ASGIApp", log)
    app.on_shutdown.append(log.flush)
    return app
