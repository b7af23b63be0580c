"""All settings, in one frozen object. A field's name in capitals is its variable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from app.domain.accounts.schemas import RegistrationMode
from app.domain.rates import Rate

DEFAULT_SENDER: Final = "chat@localhost"

Port = Annotated[int, Meta(ge=1, le=65_535)]
Few = Annotated[int, Meta(ge=1, le=64)]
Positive = Annotated[int, Meta(ge=1, le=100_000)]


class SettingsRefused(Exception):
    """The process must not start. Each of `problems` is a sentence that names its variable and quotes no secret."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    database_url: str = ""
    migrate_database_url: str = ""
    redis_url: str = ""
    cache_redis_url: str = ""
    secret_key: str = ""
    secret_key_previous: str = ""
    environment: Literal["development", "production"] = "development"
    debug: bool = False
    port: Port = 8000
    web_concurrency: Few = 1
    public_url: str = ""
    frontend_url: str = ""
    app_name: str = "Chat"
    web_ui: bool = True
    allowed_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    allow_http: bool = False
    trusted_proxy_hops: Annotated[int, Meta(ge=0, le=10)] = 0
    connections_per_address: Positive = 200  # an office behind one address, and a fifth of 1,024 open files
    sentry_dsn: str = ""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_file: Path | None = None
    smtp_url: str = ""
    mail_from: str = DEFAULT_SENDER
    mail_language: Literal["en", "de"] = "en"
    mail_templates: Path | None = None
    registration: RegistrationMode = "open"
    require_activation: bool = False
    alert_urls: tuple[str, ...] = ()
    slack_webhook_url: str = ""
    flower_basic_auth: str = ""
    notify_after_seconds: Annotated[int, Meta(ge=0, le=86_400)] = 30
    notify_quiet_minutes: Annotated[int, Meta(ge=0, le=10_080)] = 60
    access_token_minutes: Positive = 15
    refresh_token_days: Annotated[int, Meta(ge=1, le=3_650)] = 30
    login_max_days: Annotated[int, Meta(ge=1, le=3_650)] = 180
    operators_need_second_factor: bool = False
    ws_query_token: bool = True
    ws_frames_per_second: Positive = 50
    cache_messages: Annotated[int, Meta(ge=1, le=5_000)] = 500
    audit_days: Annotated[int, Meta(ge=30, le=36_500)] = 365
    data_dir: Path = Path(".data")
    throttle_messages: Rate = Rate(60, 60)
    throttle_user: Rate = Rate(1_000, 86_400)
    throttle_requests: Rate = Rate(600, 60)
    throttle_address: Rate = Rate(60, 60)
    throttle_additions: Rate = Rate(100, 3_600)
    throttle_added: Rate = Rate(50, 86_400)

    def __repr__(self) -> str:
        # A settings object in a log or traceback must not reveal secrets.
        return f"Settings(environment={self.environment!r}, port={self.port})"

    @property
    def is_production(self) -> bool:
        return self.environment == "production"

    @property
    def libpq_url(self) -> str:
        """DATABASE_URL in libpq's form, whatever scheme the database provider uses."""
        return _for_libpq(self.database_url)

    @property
    def migrating_url(self) -> str:
        """The URL of the migrating role in libpq's form: MIGRATE_DATABASE_URL, or else DATABASE_URL."""
        return _for_libpq(self.migrate_database_url or self.database_url)


def _for_libpq(url: str) -> str:
    return "postgresql:" + url.partition(":")[2] if url else ""
