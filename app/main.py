"""The web application: controllers, authentication, channels, error map, lifespan. Nothing else."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, cast, get_args

from litestar import Litestar, Router
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ASGIApp

from app.api import docs, operators, pages
from app.api.about import RootController, upgrade_required
from app.api.accounts.email_links import MailedController
from app.api.accounts.first_login import FirstLoginController
from app.api.accounts.logins import LoginController
from app.api.accounts.profile import AccountController
from app.api.accounts.registration import RegistrationController
from app.api.accounts.second_factors import SecondFactorController
from app.api.accounts.user_search import PeopleController
from app.api.changes import ChangeController
from app.api.conversations import ConversationController
from app.api.development import DevelopmentController
from app.api.errors.problems import answer
from app.api.guide import guide_pages
from app.api.health import HealthController
from app.api.members import MemberController
from app.api.messages import MessageController
from app.api.middleware.allowed_hosts import AllowedHosts
from app.api.middleware.anonymous_limits import AnonymousLimits
from app.api.middleware.cors import SharedOrigins
from app.api.middleware.head import HeadRequests
from app.api.middleware.invalid_paths import Paths
from app.api.middleware.operator_methods import OperatorMethods
from app.api.middleware.options import OptionsRequests
from app.api.middleware.preflight import Preflights
from app.api.middleware.read_deadline import ReadDeadline
from app.api.middleware.security_headers import SecurityHeaders
from app.api.notifications import NotificationController
from app.api.pages.web_app import web_app_pages
from app.api.read_cursors import ReadingController
from app.api.request import ChatRequest
from app.db import Session
from app.realtime import endpoint
from app.realtime.connection import close_codes
from app.realtime.frames import client_frames, frame_catalogue
from app.server.limits import BODY_BYTES
from app.settings import Settings, load
from app.telemetry.request_log import FLUSH_SECONDS, RequestLog
from app.wiring.runtime import Runtime

READABLE = ("Idempotency-Replayed", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id")
"""Response headers that pages of other origins may read; browsers hide others."""

AnyConnection = ASGIConnection[Any, Any, Any, Any]

CONTROLLERS = (
    RootController,
    RegistrationController,
    AccountController,
    LoginController,
    FirstLoginController,
    MailedController,
    SecondFactorController,
    PeopleController,
    ConversationController,
    MemberController,
    ReadingController,
    NotificationController,
    ChangeController,
    MessageController,
    DevelopmentController,
)

SOCKET = docs.Vocabulary(
    path=endpoint.PATH,
    client_frames=get_args(client_frames.AnyClientFrame),
    server_frames=frame_catalogue.PUSHED,
    replies=frame_catalogue.REPLIES,
    close_reasons=close_codes.REASONS,
)


def create_app(settings: Settings | None = None) -> Litestar:
    """Returns the application for `settings`, or for the environment's. Raises SettingsRefused."""
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
                middleware=[ReadDeadline(), runtime.authentication, OptionsRequests()],
            ),
            HealthController,
            docs.DocumentsController,
            docs.assets,
            *docs.socket_pages(SOCKET, runtime.settings.public_url),
            *guide_pages,
            *(web_app_pages(runtime.settings.app_name) if runtime.settings.web_ui else [pages.PagesController]),
            pages.account_page(
                runtime.settings.app_name, runtime.settings.frontend_url, web_ui=runtime.settings.web_ui
            ),
            pages.assets,
            runtime.live_delivery.route(),
            upgrade_required(endpoint.PATH),
        ],
        dependencies={"tx": Provide(transaction), **runtime.dependencies()},
        exception_handlers={Exception: answer},
        plugins=[runtime.bus.plugin],
        lifespan=[runtime.running],
        openapi_config=docs.openapi_config(),
        cors_config=cors,
        request_class=ChatRequest,
        request_max_body_size=BODY_BYTES,
        debug=runtime.settings.debug,
        state=State({"retiring": runtime}),
        logging_config=None,
    )
    # Wraps everything, including unknown paths: Litestar's own middleware only sees known routes.
    operated = OperatorMethods(cast("Any", app.asgi_handler), runtime.authentication.hide_from_others)
    known = Preflights(Paths(operated), cors.is_origin_allowed)
    named = AllowedHosts(known, runtime.settings.allowed_hosts)
    inner = AnonymousLimits(named, runtime.throttles, proxy_hops=runtime.settings.trusted_proxy_hops)
    answered = HeadRequests(SecurityHeaders(inner, https=runtime.settings.public_url.startswith("https://")))
    # People read the log of development: the lines of its processes are mixed, in the order in which they are written.
    log = RequestLog(answered, flush_seconds=FLUSH_SECONDS if runtime.settings.is_production else 0.02)
    app.asgi_handler = cast("ASGIApp", log)
    app.on_shutdown.append(log.flush)
    return app
