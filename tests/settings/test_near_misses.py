"""A misspelled setting is reported with the name that was meant; a foreign variable never is."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.settings import Settings, SettingsRefused, load, near_misses, start_warnings

FOREIGN = """
PATH HOME LANG LOGNAME PWD OLDPWD SHLVL TERM EDITOR HOSTNAME TZ MAIL MAILTO PAGER PORTS SPORT HOST
DEBUGINFOD_URLS CI PGHOST PGDATABASE PGPASSWORD POSTGRES_URL POSTGRES_USER POSTGRES_PASSWORD
POSTGRES_APP_PASSWORD VALKEY_PASSWORD REDIS_HOST REDIS_PORT REDIS_PASSWORD REDIS_TLS_URL CHAT_PORT
CHAT_SERVICE_HOST KUBERNETES_SERVICE_HOST DYNO RENDER_EXTERNAL_URL RAILWAY_PUBLIC_DOMAIN
SENTRY_ENVIRONMENT SENTRY_RELEASE SENTRY_AUTH_TOKEN SMTP_USER SMTP_HOST SMTP_PORT SMTP_PASSWORD
XDG_DATA_DIRS XDG_DATA_HOME SECRET_KEY_BASE DJANGO_SECRET_KEY TEST_DATABASE_URL LOGS NODE_ENV
FLASK_DEBUG PYTHONUNBUFFERED VIRTUAL_ENV GITHUB_ENV SSH_AUTH_SOCK COLORTERM http_proxy no_proxy
debug port
"""


def test_a_foreign_variable_of_the_environment_is_no_misspelling() -> None:
    assert near_misses.find({}, dict.fromkeys(FOREIGN.split(), "x")) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SMPT_URL", "SMTP_URL"),
        ("THROTTLE_MESSAGE", "THROTTLE_MESSAGES"),
        ("ENVIROMENT", "ENVIRONMENT"),
        ("ALLOWED_HOST", "ALLOWED_HOSTS"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("SENTRY_DNS", "SENTRY_DSN"),
        ("smtp_url", "SMTP_URL"),
    ],
)
def test_a_misspelled_setting_is_reported_wherever_it_is_written(name: str, meant: str) -> None:
    sentence = f"{name} is not a setting and is ignored: did you mean {meant}?"
    assert near_misses.find({name: "x"}, {}) == [sentence]
    assert near_misses.find({}, {name: "x"}) == [sentence]
    assert near_misses.find({name: "x"}, {name: "y"}) == [sentence]


def test_no_setting_is_a_misspelling_of_another() -> None:
    for name in near_misses.SETTINGS:
        assert near_misses.find({name: ""}, {}) == []


def test_a_short_or_redundant_name_counts_in_the_file_and_not_in_the_environment() -> None:
    assert len(near_misses.find({"PORTS": "8000"}, {})) == 1
    assert len(near_misses.find({"DATABASE_URI": "x", "DATABASE_URL": "y"}, {})) == 1
    assert near_misses.find({}, {"PORTS": "8000"}) == []
    assert near_misses.find({}, {"DATABASE_URI": "x", "DATABASE_URL": "y"}) == []


def test_a_refusal_names_the_misspelling_that_caused_it(tmp_path: Path) -> None:
    environ = {"DATA_DIR": str(tmp_path), "DATABASE_URI": "postgres://db/chat", "REDIS_URL": "redis://cache"}
    with pytest.raises(SettingsRefused) as caught:
        load(environ, env_file=tmp_path / ".env")
    assert [problem.partition(" ")[0] for problem in caught.value.problems] == ["DATABASE_URL:", "DATABASE_URI"]


@pytest.mark.parametrize(
    ("environment", "secret", "warns"),
    [("development", "short", True), ("development", "s" * 32, False), ("production", "short", False)],
)
def test_a_short_secret_in_development_is_a_warning_that_does_not_repeat_it(
    tmp_path: Path, environment: str, secret: str, warns: bool
) -> None:
    settings = Settings(secret_key=secret, environment=environment)  # type: ignore[arg-type]
    warnings = start_warnings(settings, {"SMPT_URL": "x"}, env_file=tmp_path / ".env")
    assert warnings[0].startswith("SMPT_URL is not a setting")
    assert [warning.partition(" is ")[0] for warning in warnings[1:]] == ["SECRET_KEY"] * warns
    assert not warns or secret not in warnings[1].replace("shorter", "")
