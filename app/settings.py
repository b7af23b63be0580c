"""The settings: one frozen object, read once from the environment and `.env`, or a start refused with reasons.

A field's name in capitals is its variable. Nothing else in the product reads the environment, so whoever holds
a `Settings` holds all there is to configure, and a test makes one by naming what it needs. An empty variable
counts as not set (`LOG_FILE=` is the exception: it means no file).
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec
from dotenv import dotenv_values
from msgspec import Meta

from app.domain.origins import host_pattern, origin_pattern
from app.domain.rates import Rate
from app.domain.users.domains import to_ascii

SHORTEST_SECRET: Final = 32
SHORTEST_PASSWORD: Final = 12
EXAMPLE_SECRETS: Final = ("change", "example", "insecure", "replace", "secret_key", "secret-key", "your-")
HOW_TO_MAKE_ONE: Final = "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
POSTGRES_SCHEMES: Final = ("postgres", "postgresql", "postgresql+psycopg")
DEFAULT_SENDER: Final = "chat@localhost"
SMTP_SCHEMES: Final = ("smtp", "smtps", "smtp+starttls")
_MAILBOX: Final = re.compile(r"(?:[^<>\r\n]*<[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+)")

Port = Annotated[int, Meta(ge=1, le=65_535)]
Few = Annotated[int, Meta(ge=1, le=64)]
Positive = Annotated[int, Meta(ge=1, le=100_000)]


class SettingsRefused(Exception):
    """The start stops here. `problems` are sentences, each naming its variable; none repeats a secret."""

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
    require_activation: bool = False
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
        # A settings object that reaches a log or a traceback may not carry the secrets there.
        return f"Settings(environment={self.environment!r}, port={self.port})"

    @property
    def is_production(self) -> bool:
        return self.environment == "production"

    @property
    def libpq_url(self) -> str:
        """DATABASE_URL as libpq reads it, whatever scheme the host of the database hands out."""
        return _for_libpq(self.database_url)

    @property
    def migrating_url(self) -> str:
        """The same for the role that migrates: MIGRATE_DATABASE_URL, or else DATABASE_URL."""
        return _for_libpq(self.migrate_database_url or self.database_url)


def _for_libpq(url: str) -> str:
    return "postgresql:" + url.partition(":")[2] if url else ""


def load(
    environ: Mapping[str, str] | None = None,
    *,
    env_file: Path = Path(".env"),
    embedded: bool = False,
    running: Mapping[str, str] | None = None,
) -> Settings:
    """Reads the environment over `.env`. `embedded`: the caller starts the servers whose URLs are missing;
    `running`: the URLs of those that run already, for when neither says.

    Raises SettingsRefused with every problem at once, so that an operator mends them in one go.
    """
    given = {name: value for name, value in dotenv_values(env_file).items() if value is not None}
    given.update(os.environ if environ is None else environ)
    # The owner's URL is of the database that runs, perhaps not of the one that is named.
    named = {"MIGRATE_DATABASE_URL"} if given.get("DATABASE_URL", "").strip() else set()
    named |= {name for name, value in given.items() if value.strip()}
    given.update({name: url for name, url in (running or {}).items() if name not in named})
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, kind in get_type_hints(Settings, include_extras=True).items():
        text = given.get(name.upper(), "").strip()
        if text:
            try:
                values[name] = _read(text, kind)
            except ValueError as error:
                problems.append(f"{name.upper()}: {error}.")
    log_file_off = "LOG_FILE" in given and not given["LOG_FILE"].strip()
    settings, unmatched = _completed(Settings(**values), log_file_off=log_file_off)
    if settings.is_production and "public_url" not in values:
        problems.append("PUBLIC_URL: not set; links in mails begin with it, and pages under it may call the API.")
    problems += _servers(settings, embedded=embedded) + _secrets(settings) + unmatched + _mail(settings)
    problems += _watching(settings)
    if problems:
        raise SettingsRefused(problems)
    if not settings.secret_key:
        settings = msgspec.structs.replace(settings, secret_key=_kept_secret(settings.data_dir / "secret_key"))
    return settings


def environment_for_child(**values: str) -> dict[str, str]:
    """What a process started by us finds: our environment, with these on top."""
    return {**os.environ, **values}


def _read(text: str, kind: Any) -> Any:
    if kind is Rate:
        return Rate.parse(text)
    if kind == tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind in (Path, Path | None):
        return Path(text)
    if kind is bool:
        text = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(text.lower(), text.lower())
    if get_origin(kind) is Literal:
        choices: tuple[str, ...] = get_args(kind)
        for choice in choices:
            if choice.lower() == text.lower():
                return choice
        raise ValueError(f"'{text}' is not one of {', '.join(choices)}")
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        needed = "true or false" if kind is bool else str(error).removeprefix("Expected ").partition(",")[0]
        needed = needed.replace("`int`", "a whole number").replace("`", "")
        raise ValueError(f"'{text}' will not do; it must be {needed}") from None


def _completed(settings: Settings, *, log_file_off: bool) -> tuple[Settings, list[str]]:
    """Fills in what follows from the rest, and writes addresses as browsers do; what no browser could ever send is
    among the problems."""
    problems: list[str] = []

    def read(name: str, texts: tuple[str, ...], form: Callable[[str], str]) -> tuple[str, ...]:
        found = []
        for text in texts:
            try:
                found.append(form(text))
            except ValueError as error:
                problems.append(f"{name}: '{text}' matches nothing: {error}.")
        return tuple(found)

    # Health checks come from the machine itself, under its own names.
    own_hosts = ("127.0.0.1", "localhost", "::1")
    public = read("PUBLIC_URL", (settings.public_url or f"http://127.0.0.1:{settings.port}",), origin_pattern)
    if public and "*" in public[0]:
        problems.append("PUBLIC_URL: one address is needed here, without a *.")
    hosts = read("ALLOWED_HOSTS", settings.allowed_hosts, host_pattern)
    completed = msgspec.structs.replace(
        settings,
        public_url=public[0] if public else "",
        redis_url=_one_reading(settings.redis_url),
        cache_redis_url=_one_reading(settings.cache_redis_url or settings.redis_url),
        allowed_hosts=hosts or (*[urlsplit(one).hostname or "" for one in public], *own_hosts),
        allowed_origins=read("ALLOWED_ORIGINS", settings.allowed_origins, origin_pattern) or public,
        log_file=None if log_file_off else settings.log_file or settings.data_dir / "log" / "chat.log",
    )
    if settings.is_production and not settings.allow_http and _is_open(completed.public_url):
        problems.append(
            "PUBLIC_URL: begins with http://, so passwords and tokens would travel in the clear; production wants "
            "https://. ALLOW_HTTP=true accepts it, for a network that no one listens in on."
        )
    return completed, problems


def _is_open(url: str) -> bool:
    """Without TLS, and not of this machine itself."""
    host = urlsplit(url).hostname or ""
    return url.startswith("http://") and host != "localhost" and not host.startswith("127.") and host != "::1"


def _one_reading(redis_url: str) -> str:
    """Celery's documents call a level of verification `CERT_NONE`, which redis-py, our only reader, calls `none`."""
    return re.sub(r"(?<=[?&]ssl_cert_reqs=)CERT_([A-Z]+)", lambda found: found[1].lower(), redis_url)


def _servers(settings: Settings, *, embedded: bool) -> list[str]:
    problems = []
    for name, url, scheme in (
        ("DATABASE_URL", settings.database_url, POSTGRES_SCHEMES[0]),
        ("REDIS_URL", settings.redis_url, "redis"),
    ):
        if not url and not embedded:
            problems.append(f"{name}: not set; only `chat up` brings a server of its own ({scheme}://…).")
    for name, url in (("DATABASE_URL", settings.database_url), ("MIGRATE_DATABASE_URL", settings.migrate_database_url)):
        if url and url.partition("://")[0] not in POSTGRES_SCHEMES:
            problems.append(f"{name}: must begin with {POSTGRES_SCHEMES[0]}://.")
        elif url:
            problems += _unreadable(name, url)
    return problems + _redis(settings)


def _redis(settings: Settings) -> list[str]:
    from app.tasks.broker import address  # with redis-py, which `chat --help` need not wait for

    named = {settings.cache_redis_url: "CACHE_REDIS_URL", settings.redis_url: "REDIS_URL"}
    wrong = {name: address.problem(url) for url, name in named.items() if url}
    return [f"{name}: {what}." for name, what in wrong.items() if what]


def _unreadable(name: str, database_url: str) -> list[str]:
    from app.db.address import AddressRefused, parameters  # only where there is one: `chat` starts faster without

    try:
        parameters(database_url)
    except AddressRefused as refused:
        return [f"{name}: {refused}."]
    return []


def _watching(settings: Settings) -> list[str]:
    problems = []
    parts = urlsplit(settings.slack_webhook_url)
    if settings.slack_webhook_url and not (parts.scheme == "https" or parts.hostname in ("127.0.0.1", "localhost")):
        problems.append("SLACK_WEBHOOK_URL: write it as https://hooks.slack.com/services/…")
    parts = urlsplit(settings.sentry_dsn)
    project = parts.path.rpartition("/")[2]
    fits = parts.scheme in ("http", "https") and parts.hostname and parts.username and project.isdecimal()
    if settings.sentry_dsn and not fits:
        problems.append("SENTRY_DSN: write it as Sentry shows it, https://key@o1.ingest.sentry.io/1.")
    user, _, password = settings.flower_basic_auth.partition(":")
    if settings.flower_basic_auth and (not user or len(password) < SHORTEST_PASSWORD):
        problems.append(f"FLOWER_BASIC_AUTH: write it as user:password, the password {SHORTEST_PASSWORD} or longer.")
    return problems


def _secrets(settings: Settings) -> list[str]:
    if not settings.is_production:
        return []
    problems = []
    if not settings.secret_key:
        problems.append(f"SECRET_KEY: not set, and production will not invent one; {HOW_TO_MAKE_ONE}.")
    for name, secret in (
        ("SECRET_KEY", settings.secret_key),
        ("SECRET_KEY_PREVIOUS", settings.secret_key_previous),
    ):
        if secret and len(secret) < SHORTEST_SECRET:
            problems.append(f"{name}: shorter than {SHORTEST_SECRET} characters; {HOW_TO_MAKE_ONE}.")
        elif secret and (len(set(secret)) < 10 or any(word in secret.lower() for word in EXAMPLE_SECRETS)):
            problems.append(f"{name}: looks like an example, which everybody knows; {HOW_TO_MAKE_ONE}.")
    if settings.debug:
        problems.append("DEBUG: must be false in production, where it would show strangers the program's inside.")
    return problems


def _mail(settings: Settings) -> list[str]:
    problems = []
    try:
        parts = urlsplit(settings.smtp_url)
        fits = not settings.smtp_url or (parts.scheme in SMTP_SCHEMES and bool(parts.hostname) and parts.port != 0)
        fits = fits and ((parts.hostname or "").isascii() or _is_domain(parts.hostname or ""))
    except ValueError:
        fits = False
    if not fits:
        problems.append("SMTP_URL: write it as smtps://user:password@mail.example.org, or smtp://… for STARTTLS.")
    if not _MAILBOX.fullmatch(settings.mail_from) or not _is_domain(settings.mail_from.rpartition("@")[2].rstrip(">")):
        problems.append("MAIL_FROM: write it as chat@example.org or Chat <chat@example.org>.")
    return problems


def _is_domain(domain: str) -> bool:
    try:
        return bool(to_ascii(domain))
    except UnicodeError:
        return False


def _kept_secret(file: Path) -> str:
    """A development secret, made once: logins survive a restart, and all processes of DATA_DIR share it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # Written aside and linked into place: of two processes that start at once, both read the one that won.
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(48))
    try:
        file.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return file.read_text().strip()
