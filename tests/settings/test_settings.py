"""The settings are read once, and a bad one stops the start with a sentence that names it."""

from __future__ import annotations

from pathlib import Path

import pytest
from dotenv import dotenv_values

from app import cli
from app.domain.rates import Rate
from app.settings import Settings, SettingsRefused, load

ROOT = Path(__file__).resolve().parents[2]
SECRET = "v3n8QmZr0pLx2Tg7YbKd5HsWcJf9AeUi1oNq"
SERVERS = {"DATABASE_URL": "postgres://chat@db/chat", "REDIS_URL": "redis://cache"}
PRODUCTION = {**SERVERS, "ENVIRONMENT": "production", "SECRET_KEY": SECRET, "PUBLIC_URL": "https://chat.example.org"}


def loaded(tmp_path: Path, environ: dict[str, str], *, embedded: bool = False) -> Settings:
    return load({"DATA_DIR": str(tmp_path), **environ}, env_file=tmp_path / ".env", embedded=embedded)


def refused(tmp_path: Path, environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsRefused) as caught:
        loaded(tmp_path, environ)
    return caught.value.problems


def test_the_example_has_every_setting_and_nothing_else() -> None:
    text = (ROOT / ".env.example").read_text()
    listed = {line.removeprefix("# ").partition("=")[0] for line in text.splitlines() if "=" in line.split(" ")[0]}
    listed |= {"LOG_FILE"} & {line.removeprefix("# ").partition("=")[0] for line in text.splitlines()}
    assert listed == {field.upper() for field in Settings.__struct_fields__}


def test_the_example_copied_unchanged_works(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text())
    settings = loaded(tmp_path, {}, embedded=True)
    defaults = loaded(tmp_path, {}, embedded=True)
    assert settings == defaults
    assert settings.port == 8000
    assert settings.throttle_user == Rate(1_000, 86_400)


def test_the_example_shows_the_defaults() -> None:
    given = {name: value for name, value in dotenv_values(ROOT / ".env.example").items() if value}
    assert load(given, env_file=Path("nowhere"), embedded=True) == load(
        {"SECRET_KEY": ""}, env_file=Path("nowhere"), embedded=True
    )


def test_the_environment_overrides_the_file_and_is_unchanged(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=7000\nMAIL_FROM=file@example.org\n")
    environ = {"PORT": "7001", **SERVERS}
    settings = loaded(tmp_path, environ)
    assert (settings.port, settings.mail_from) == (7001, "file@example.org")
    assert environ == {"PORT": "7001", **SERVERS}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "eighty", "PORT: must be a whole number, not 'eighty'."),
        ("PORT", "70000", "<= 65535"),
        ("WEB_CONCURRENCY", "0", ">= 1"),
        ("TRUSTED_PROXY_HOPS", "-1", ">= 0"),
        ("REQUIRE_ACTIVATION", "maybe", "true or false"),
        ("REGISTRATION", "maybe", "open or invite or closed"),
        ("ENVIRONMENT", "staging", "ENVIRONMENT: must be development or production, not 'staging'."),
        ("LOG_LEVEL", "LOUD", "WARNING"),
        ("THROTTLE_MESSAGES", "60/week", "60/minute"),
        ("DATABASE_URL", "mysql://db", "postgres://"),
        ("REDIS_URL", "http://cache", "redis://"),
        ("PUBLIC_URL", "chat.example.org", "https://"),
        ("PUBLIC_URL", "https://chat.example.org/chat", "without a path"),
        ("PUBLIC_URL", "https://chat.example.org?x", "without a path"),
        ("PUBLIC_URL", "https://*.example.org", "one address"),
        ("ALLOWED_ORIGINS", "https://a.example.org/path", "without a path"),
        ("ALLOWED_ORIGINS", "https://user@a.example.org", "without a path"),
        ("ALLOWED_ORIGINS", "https://a.example.org:99999", "port"),
        ("ALLOWED_ORIGINS", "*", "https://"),
        ("ALLOWED_HOSTS", "https://chat.example.org", "without scheme"),
        ("ALLOWED_HOSTS", "chat.example.org:8000", "without scheme"),
        ("ALLOWED_HOSTS", "chat.example.org/x", "without scheme"),
        ("ALLOWED_HOSTS", "chat..example", "no host name"),
        ("SENTRY_DSN", "notadsn", "https://key@"),
        ("SENTRY_DSN", "https://errors.example.org/1", "https://key@"),
        ("SENTRY_DSN", "https://key@errors.example.org/", "https://key@"),
        ("ALLOWED_ORIGINS", "https://a.example.org, nonsense", "nonsense"),
        ("MAIL_FROM", "Chat <chat@a b.example>", "chat@example.org"),
        ("MAIL_FROM", "Chat <chat@\U0001f4a9.example>", "chat@example.org"),
        ("SMTP_URL", "smtp://\U0001f4a9.example", "smtps://"),
        ("MAIL_TEMPLATES", "/nowhere/at/all", "/nowhere/at/all is not a folder"),
    ],
)
def test_an_invalid_value_is_one_sentence_that_names_the_setting(
    tmp_path: Path, name: str, value: str, words: str
) -> None:
    (problem,) = refused(tmp_path, {**SERVERS, "ALLOWED_ORIGINS": "https://a.example.org", name: value})
    assert problem.startswith(f"{name}: ")
    assert words in problem


@pytest.mark.parametrize(
    ("name", "written", "kept"),
    [
        ("ALLOWED_ORIGINS", "https://a.example/", ("https://a.example",)),
        ("ALLOWED_ORIGINS", "https://B.example, HTTPS://c.example:443", ("https://b.example", "https://c.example")),
        ("ALLOWED_ORIGINS", "http://a.example:80,http://a.example:8080", ("http://a.example", "http://a.example:8080")),
        ("ALLOWED_ORIGINS", "https://*.D.example", ("https://*.d.example",)),
        ("ALLOWED_ORIGINS", "https://bücher.example", ("https://xn--bcher-kva.example",)),
        ("ALLOWED_ORIGINS", "https://faß.example", ("https://xn--fa-hia.example",)),
        ("ALLOWED_ORIGINS", "http://[0:0::1]:8000", ("http://[::1]:8000",)),
        ("ALLOWED_HOSTS", "Chat.Example.org., *.b.example", ("chat.example.org", "*.b.example")),
        ("ALLOWED_HOSTS", ".bücher.example, [::1]", (".xn--bcher-kva.example", "::1")),
        ("PUBLIC_URL", "https://Bücher.example:443/", "https://xn--bcher-kva.example"),
        ("FRONTEND_URL", "https://Faß.example:443/Talk/", "https://xn--fa-hia.example/Talk"),
        ("FRONTEND_URL", "http://localhost:5173", "http://localhost:5173"),
    ],
)
def test_origins_and_hosts_are_kept_in_the_form_that_browsers_send(
    tmp_path: Path, name: str, written: str, kept: object
) -> None:
    assert getattr(loaded(tmp_path, {**SERVERS, name: written}), name.lower()) == kept


def test_an_unusable_public_url_is_one_problem_though_other_settings_derive_from_it(tmp_path: Path) -> None:
    for public_url in ("example.org", "https://example.org/path", "https://", "*"):
        for environ in (SERVERS, PRODUCTION):
            (problem,) = refused(tmp_path, {**environ, "PUBLIC_URL": public_url})
            assert problem.startswith(f"PUBLIC_URL: '{public_url}' is not usable: write ")


def test_production_requires_https_unless_allowed_otherwise(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, {**PRODUCTION, "PUBLIC_URL": "http://chat.example.org"})
    assert problem.startswith("PUBLIC_URL: ")
    assert "ALLOW_HTTP" in problem
    for url in ("http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"):
        assert loaded(tmp_path, {**PRODUCTION, "PUBLIC_URL": url}).public_url == url
    allowed = {**PRODUCTION, "PUBLIC_URL": "http://chat.example.org", "ALLOW_HTTP": "true"}
    assert loaded(tmp_path, allowed).public_url == "http://chat.example.org"
    assert loaded(tmp_path, {**SERVERS, "PUBLIC_URL": "http://chat.example.org"}).allow_http is False


def test_a_dsn_is_accepted_as_sentry_shows_it_and_never_repeated(tmp_path: Path) -> None:
    for dsn in ("https://key@o1.ingest.sentry.io/1", "https://key:secret@errors.example.org/prefix/42"):
        assert loaded(tmp_path, {**SERVERS, "SENTRY_DSN": dsn}).sentry_dsn == dsn
    (problem,) = refused(tmp_path, {**SERVERS, "SENTRY_DSN": "https://hush@errors.example.org"})
    assert "hush" not in problem


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    problems = refused(tmp_path, {"PORT": "x", "LOG_LEVEL": "x", "ENVIRONMENT": "production"})
    assert {problem.partition(":")[0] for problem in problems} == {
        "PORT",
        "LOG_LEVEL",
        "DATABASE_URL",
        "REDIS_URL",
        "SECRET_KEY",
        "PUBLIC_URL",
    }


@pytest.mark.parametrize(
    ("secret", "word"),
    [
        ("", "not set"),
        ("tiny", "shorter than 32"),
        ("a" * 40, "example"),
        ("change-me-" + SECRET, "example"),
        ("django-insecure-" + SECRET, "example"),
    ],
)
def test_production_refuses_a_weak_secret_without_repeating_it(tmp_path: Path, secret: str, word: str) -> None:
    (problem,) = refused(tmp_path, {**PRODUCTION, "SECRET_KEY": secret})
    assert problem.startswith("SECRET_KEY: ")
    assert word in problem
    assert not secret or secret not in problem


def test_production_accepts_a_good_secret_and_refuses_debug_and_a_weak_former_one(tmp_path: Path) -> None:
    assert loaded(tmp_path, PRODUCTION).secret_key == SECRET
    (problem,) = refused(tmp_path, {**PRODUCTION, "DEBUG": "true"})
    assert problem.startswith("DEBUG: ")
    (problem,) = refused(tmp_path, {**PRODUCTION, "SECRET_KEY_PREVIOUS": "short"})
    assert problem.startswith("SECRET_KEY_PREVIOUS: ")


def test_development_makes_a_secret_once_and_keeps_it_to_itself(tmp_path: Path) -> None:
    first, second = loaded(tmp_path, SERVERS), loaded(tmp_path, SERVERS)
    assert len(first.secret_key) >= 32
    assert first.secret_key == second.secret_key
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["secret_key"]


def test_a_settings_object_shows_no_secret(tmp_path: Path) -> None:
    assert SECRET not in repr(loaded(tmp_path, PRODUCTION))
    assert "postgres" not in str(loaded(tmp_path, PRODUCTION))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_scheme_of_database_url_uses_psycopg(tmp_path: Path, scheme: str) -> None:
    settings = loaded(tmp_path, {**SERVERS, "DATABASE_URL": f"{scheme}://chat:pass@db:5432/chat?sslmode=require"})
    assert settings.libpq_url == "postgresql://chat:pass@db:5432/chat?sslmode=require"


def test_unset_settings_are_derived_from_the_others(tmp_path: Path) -> None:
    settings = loaded(tmp_path, PRODUCTION)
    assert settings.cache_redis_url == "redis://cache"
    assert settings.allowed_origins == ("https://chat.example.org",)
    assert settings.allowed_hosts[0] == "chat.example.org"
    assert settings.log_file == tmp_path / "log" / "chat.log"
    assert loaded(tmp_path, {**PRODUCTION, "LOG_FILE": ""}).log_file is None


@pytest.mark.parametrize(
    ("text", "rate"),
    [("60/minute", Rate(60, 60)), (" 5 / Second ", Rate(5, 1)), ("1/hour", Rate(1, 3_600)), ("9/day", Rate(9, 86_400))],
)
def test_a_rate_is_read_as_people_write_it(text: str, rate: Rate) -> None:
    assert Rate.parse(text) == rate
    assert Rate.parse(str(rate)) == rate


@pytest.mark.parametrize(
    "text",
    ["", "60", "0/minute", "-1/minute", "1.5/minute", "60/", "/minute", "60/minutes", "²/day", "9" * 40 + "/day"],
)
def test_an_invalid_rate_in_the_settings_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        Rate.parse(text)


def test_the_command_prints_the_sentences_and_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "x")
    assert cli.main(["migrate"]) == 2
    complaint = capsys.readouterr().err
    assert [line.split(":")[:2] for line in complaint.splitlines()] == [
        ["chat", " PORT"],
        ["chat", " DATABASE_URL"],
        ["chat", " REDIS_URL"],
    ]


def test_the_owner_of_a_running_database_does_not_migrate_one_that_is_named(tmp_path: Path) -> None:
    running = {name: f"postgresql://{name.lower()}@running/chat" for name in ("DATABASE_URL", "MIGRATE_DATABASE_URL")}
    running["REDIS_URL"] = "redis://running"
    environ = {"DATA_DIR": str(tmp_path)}
    beside = load(environ, env_file=tmp_path / ".env", running=running)
    assert beside.migrating_url == "postgresql://migrate_database_url@running/chat"
    named = load(environ | {"DATABASE_URL": "postgres://other/chat"}, env_file=tmp_path / ".env", running=running)
    assert named.migrating_url == named.libpq_url == "postgresql://other/chat"
