"""Validates settings. Each problem is a sentence that names its variable and never quotes a secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from app.domain.users.idna_domains import to_ascii
from app.settings.model import Settings

SHORTEST_SECRET: Final = 32
SHORTEST_PASSWORD: Final = 12
LONGEST_NAME: Final = 60
EXAMPLE_SECRETS: Final = ("change", "example", "insecure", "replace", "secret_key", "secret-key", "your-")
HOW_TO_GENERATE_ONE: Final = "generate one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
POSTGRES_SCHEMES: Final = ("postgres", "postgresql", "postgresql+psycopg")
SMTP_SCHEMES: Final = ("smtp", "smtps", "smtp+starttls")
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*://[^\s]+")
_MAILBOX: Final = re.compile(r"(?:[^<>\r\n]*<[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+)")


def problems_of(settings: Settings, *, embedded: bool) -> list[str]:
    """Returns all problems at once, so that an operator can fix them together. `embedded`: the caller starts the
    servers whose URLs are missing."""
    problems = _servers(settings, embedded=embedded) + _secrets(settings) + _mail(settings) + _monitoring(settings)
    if settings.frontend_url and not settings.allow_http and _is_open(settings.frontend_url):
        problems.append(
            "FRONTEND_URL: begins with http://, so tokens would be sent unencrypted; write https://, except for this "
            "machine. ALLOW_HTTP=true allows http:// on a trusted network."
        )
    if settings.is_production and not settings.allow_http and _is_open(settings.public_url):
        problems.append(
            "PUBLIC_URL: begins with http://, so passwords and tokens would be sent unencrypted; production requires "
            "https://. ALLOW_HTTP=true allows http:// on a trusted network."
        )
    return problems


def warnings_of(settings: Settings) -> list[str]:
    """Returns a sentence for each value that development accepts and production refuses."""
    if not settings.is_production and len(settings.secret_key) < SHORTEST_SECRET:
        forgeable = f"SECRET_KEY is shorter than {SHORTEST_SECRET} characters, so anyone may guess it and sign tokens"
        return [f"{forgeable}; production refuses it: {HOW_TO_GENERATE_ONE}."]
    return []


def _is_open(url: str) -> bool:
    """True for a URL without TLS that is not on this machine."""
    host = urlsplit(url).hostname or ""
    return url.startswith("http://") and host != "localhost" and not host.startswith("127.") and host != "::1"


def _servers(settings: Settings, *, embedded: bool) -> list[str]:
    problems = []
    for name, url, scheme in (
        ("DATABASE_URL", settings.database_url, POSTGRES_SCHEMES[0]),
        ("REDIS_URL", settings.redis_url, "redis"),
    ):
        if not url and not embedded:
            problems.append(f"{name}: not set; only `chat up` starts an embedded server ({scheme}://…).")
    for name, url in (("DATABASE_URL", settings.database_url), ("MIGRATE_DATABASE_URL", settings.migrate_database_url)):
        if url and url.partition("://")[0] not in POSTGRES_SCHEMES:
            problems.append(f"{name}: must begin with postgresql:// or postgres://.")
        elif url:
            problems += _unreadable(name, url)
    return problems + _redis(settings)


def _redis(settings: Settings) -> list[str]:
    from app.tasks.broker import redis_url_check  # imports redis-py, which would slow `chat --help`

    named = {settings.cache_redis_url: "CACHE_REDIS_URL", settings.redis_url: "REDIS_URL"}
    wrong = {name: redis_url_check.problem(url) for url, name in named.items() if url}
    return [f"{name}: {what}." for name, what in wrong.items() if what]


def _unreadable(name: str, database_url: str) -> list[str]:
    from app.db.database_url import AddressRefused, parameters  # lazy, so that `chat` starts faster without a URL

    try:
        parameters(database_url)
    except AddressRefused as refused:
        return [f"{name}: {refused}."]
    return []


def _monitoring(settings: Settings) -> list[str]:
    problems = []
    parts = urlsplit(settings.slack_webhook_url)
    if settings.slack_webhook_url and not (parts.scheme == "https" or parts.hostname in ("127.0.0.1", "localhost")):
        problems.append("SLACK_WEBHOOK_URL: write it as https://hooks.slack.com/services/…")
    for position, url in enumerate(settings.alert_urls, start=1):
        if not _ADDRESS.fullmatch(url):
            problems.append(
                f"ALERT_URLS: address {position} is not of the form slack://… or mailto://…; write a comma within one "
                "as %2C, a blank as %20."
            )
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
        problems.append(f"SECRET_KEY: not set, and production does not generate one; {HOW_TO_GENERATE_ONE}.")
    for name, secret in (
        ("SECRET_KEY", settings.secret_key),
        ("SECRET_KEY_PREVIOUS", settings.secret_key_previous),
    ):
        if secret and len(secret) < SHORTEST_SECRET:
            problems.append(f"{name}: shorter than {SHORTEST_SECRET} characters; {HOW_TO_GENERATE_ONE}.")
        elif secret and (len(set(secret)) < 10 or any(word in secret.lower() for word in EXAMPLE_SECRETS)):
            problems.append(f"{name}: looks like a published example; {HOW_TO_GENERATE_ONE}.")
    if settings.debug:
        problems.append("DEBUG: must be false in production, because it exposes internals to clients.")
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
    if not _is_app_name(settings.app_name):
        problems.append(
            f'APP_NAME: write 1 to {LONGEST_NAME} letters, digits, blanks or other signs but <>"\\:@ on one line.'
        )
    elif settings.mail_templates is not None:
        problems += _templates(settings, settings.mail_templates)
    return problems


def _is_app_name(name: str) -> bool:
    """False for what would break out of a mail's header, of a link for authenticators (a colon), or of a line."""
    return 0 < len(name) <= LONGEST_NAME and name.isprintable() and not set(name) & set('<>"\\:@') and "=?" not in name


def _templates(settings: Settings, folder: Path) -> list[str]:
    from app.tasks.letters import template_check  # imports jinja; few deployments have templates of their own
    from app.tasks.letters.renderer import MailStyle

    style = MailStyle(app_name=settings.app_name, frontend_url=settings.frontend_url, language=settings.mail_language)
    return [f"MAIL_TEMPLATES: {what}" for what in template_check.problems(folder, style, settings.public_url)]


def _is_domain(domain: str) -> bool:
    try:
        return bool(to_ascii(domain))
    except UnicodeError:
        return False
