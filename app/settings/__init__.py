"""Reads the settings once from the environment and `.env` into a frozen object, or refuses to start with the reasons.

A field's name in capitals is its variable. Nothing else in the product reads the environment, so a `Settings` object
holds the whole configuration, and a test creates one with the fields it needs. An empty variable counts as not set
(except `LOG_FILE=`, which means no file).
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urljoin, urlsplit

import msgspec
from dotenv import dotenv_values

from app.development import local_start as local
from app.development.local_start import LocalStart
from app.domain.origins import host_pattern, origin_pattern, site_url
from app.domain.rates import Rate
from app.settings import data_dir, near_misses
from app.settings.checks import problems_of, warnings_of
from app.settings.model import DEFAULT_SENDER, Settings, SettingsRefused

__all__ = [
    "DEFAULT_SENDER",
    "Settings",
    "SettingsRefused",
    "environment_for_child",
    "load",
    "local_start",
    "metrics_directory",
    "share_metrics",
    "start_warnings",
]

_CERT: Final = re.compile(r"(?<=[?&]ssl_cert_reqs=)CERT_([A-Z]+)")


def load(
    environ: Mapping[str, str] | None = None,
    *,
    env_file: Path = Path(".env"),
    embedded: bool = False,
    running: Mapping[str, str] | None = None,
) -> Settings:
    """Reads the settings; the environment overrides `.env`. `embedded`: the caller starts the servers whose URLs are
    missing. `running`: URLs of running servers and their API's port, used if neither source sets them.

    Raises SettingsRefused with all problems at once, so that an operator can fix them together.
    """
    written = _written(env_file)
    given = written | dict(os.environ if environ is None else environ)
    # The running owner URL belongs to the running database, which may not be the one in DATABASE_URL.
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
        problems.append("PUBLIC_URL: not set; links in mails begin with it, and pages at it may call the API.")
    problems += unmatched + problems_of(settings, embedded=embedded)
    if problems:
        raise SettingsRefused(problems + near_misses.find(written, os.environ if environ is None else environ))
    if not settings.secret_key:
        try:
            secret = _kept_secret(settings.data_dir)
        except OSError as error:
            raise data_dir.unusable("DATA_DIR", settings.data_dir, error) from None
        settings = msgspec.structs.replace(settings, secret_key=secret)
    return settings


def start_warnings(
    settings: Settings, environ: Mapping[str, str] | None = None, *, env_file: Path = Path(".env")
) -> list[str]:
    """Returns a sentence for each setting that a process may start with and that is probably a mistake."""
    found = near_misses.find(_written(env_file), os.environ if environ is None else environ)
    return found + warnings_of(settings)


def environment_for_child(**values: str) -> dict[str, str]:
    """Returns the environment for a child process: ours, overridden by `values`."""
    return {**os.environ, **values}


def local_start(settings: Settings) -> LocalStart | None:
    """Returns what `chat up` passed to this process; None unless it runs development on embedded servers."""
    return None if settings.is_production else local.decoded(os.environ.get(local.VARIABLE, ""))


def share_metrics(directory: Path) -> None:
    """Makes child processes add up their metrics in `directory`. Call it before they start: prometheus_client reads the
    variable when it is imported."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)


def metrics_directory() -> str:
    """Returns the directory given to `share_metrics` by the parent process. Empty: this process serves alone."""
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")


def _written(env_file: Path) -> dict[str, str]:
    """Returns the variables of `env_file`, each value as it stands there: a `$` in a password is not a reference."""
    try:
        text = env_file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise SettingsRefused([f"{env_file}: not UTF-8; save it in that encoding."]) from None
    except OSError as error:
        raise data_dir.unusable(".env", env_file, error) from None
    if "\0" in text:  # UTF-16 without a byte order mark
        raise SettingsRefused([f"{env_file}: not UTF-8; save it in that encoding."])
    found = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in found.items() if value is not None}


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
        raise ValueError(f"must be {' or '.join(choices)}, not '{text}'")
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        needed = "true or false" if kind is bool else str(error).removeprefix("Expected ").partition(",")[0]
        needed = needed.replace("`int`", "a whole number").replace("`", "")
        raise ValueError(f"must be {needed}, not '{text}'") from None


def _completed(settings: Settings, *, log_file_off: bool) -> tuple[Settings, list[str]]:
    """Fills in derived settings and normalizes addresses as browsers send them. Returns the settings and the problems,
    such as addresses that no browser could send."""
    problems: list[str] = []

    def read(name: str, texts: tuple[str, ...], form: Callable[[str], str]) -> tuple[str, ...]:
        found = []
        for text in texts:
            try:
                found.append(form(text))
            except ValueError as error:
                problems.append(f"{name}: '{text}' is not usable: {error}.")
        return tuple(found)

    # Health checks come from the machine itself and use its local names.
    own_hosts = ("127.0.0.1", "localhost", "::1")
    public = read("PUBLIC_URL", (settings.public_url or f"http://127.0.0.1:{settings.port}",), origin_pattern)
    if public and "*" in public[0]:
        problems.append("PUBLIC_URL: must be one address, without a *.")
    frontend = read("FRONTEND_URL", (settings.frontend_url,) if settings.frontend_url else (), site_url)
    pages = tuple(dict.fromkeys((*public, *[origin_pattern(urljoin(url, "/")) for url in frontend])))
    hosts = read("ALLOWED_HOSTS", settings.allowed_hosts, host_pattern)
    completed = msgspec.structs.replace(
        settings,
        public_url=public[0] if public else "",
        redis_url=_one_reading(settings.redis_url),
        cache_redis_url=_one_reading(settings.cache_redis_url or settings.redis_url),
        allowed_hosts=hosts or (*[urlsplit(one).hostname or "" for one in public], *own_hosts),
        frontend_url=frontend[0] if frontend else "",
        allowed_origins=read("ALLOWED_ORIGINS", settings.allowed_origins, origin_pattern) or pages,
        log_file=None if log_file_off else settings.log_file or settings.data_dir / "log" / "chat.log",
    )
    return completed, problems


def _one_reading(redis_url: str) -> str:
    """Rewrites Celery's documented `CERT_NONE` to the `none` of redis-py, the only reader of the URL."""
    return _CERT.sub(lambda found: found[1].lower(), redis_url)


def _kept_secret(directory: Path) -> str:
    """Returns a development secret, created once: logins survive a restart, and all processes of DATA_DIR share it."""
    data_dir.create(directory)
    file = directory / "secret_key"
    # Write to a draft and link it into place: if two processes start at once, both read the winner's secret.
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
