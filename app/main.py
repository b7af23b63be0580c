"""The web's front door: controllers, authentication, channels, the error map, the life of the process. Nothing else."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from litestar import Litestar, Router
from litestar.config.allowed_hosts import AllowedHostsConfig
from litestar.config.cors import CORSConfig
from litestar.di import Provide

from app.api import documents, health
from app.api.accounts import AccountController
from app.api.authentication import authentication
from app.api.changes import ChangesController
from app.api.conversations import ConversationController
from app.api.headers import SecurityHeaders
from app.api.logins import LoginController
from app.api.members import MemberController
from app.api.messages import MessageController
from app.api.people import PeopleController
from app.api.problems import EXCEPTION_HANDLERS
from app.api.reading import ReadingController
from app.api.root import front_page
from app.db import Session
from app.settings import Settings, load
from app.wiring import Runtime

LARGEST_BODY = 256 * 1024
"""Bytes. The largest honest body is a text of 8,000 characters, each escaped as six or twelve bytes."""

CONTROLLERS = (
    AccountController,
    LoginController,
    PeopleController,
    ConversationController,
    MemberController,
    ReadingController,
    ChangesController,
    MessageController,
)


def create_app(settings: Settings | None = None) -> Litestar:
    """The application, for `settings` or for those of the environment. Raises SettingsRefused."""
    runtime = Runtime(settings or load())

    async def transaction() -> AsyncGenerator[Session, None]:
        async with runtime.database.transaction() as session:
            yield session

    app = Litestar(
        [
            Router("/api/v1", route_handlers=[front_page, *CONTROLLERS]),
            health.livez,
            health.readyz,
            health.metrics,
            documents.page,
            documents.assets,
        ],
        dependencies={"tx": Provide(transaction), **runtime.dependencies()},
        middleware=[],
        exception_handlers=EXCEPTION_HANDLERS,
        plugins=[],
        lifespan=[runtime.running],
        openapi_config=documents.openapi_config(),
        allowed_hosts=AllowedHostsConfig(list(runtime.settings.allowed_hosts)),
        cors_config=CORSConfig(allow_origins=list(runtime.settings.allowed_origins), max_age=600),
        request_max_body_size=LARGEST_BODY,
        debug=runtime.settings.debug,
        logging_config=None,
    )
    app.asgi_handler = SecurityHeaders(app.asgi_handler)
    return app
