"""The settings of mails and alerts: names that fit a header, pages to link to, templates, addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.settings.test_settings import PRODUCTION, SERVERS, loaded, refused


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("FRONTEND_URL", "example.org", "https://"),
        ("FRONTEND_URL", "https://example.org/chat?x=1", "without a path"),
        ("FRONTEND_URL", "https://example.org/#/chat", "without a path"),
        ("FRONTEND_URL", "https://example.org/a b", "one address"),
        ("FRONTEND_URL", "https://*.example.org", "one address"),
        ("FRONTEND_URL", "http://example.org", "ALLOW_HTTP"),
        ("FRONTEND_URL", "javascript:alert(1)", "https://"),
        ("APP_NAME", "Chat\r\nBcc: eve@evil.example", "on one line"),
        ("APP_NAME", "Chat\x00", "on one line"),
        ("APP_NAME", "Chat\u202e", "on one line"),
        ("APP_NAME", "=?utf-8?q?x?=", "on one line"),
        ("APP_NAME", "Chat <eve@evil.example>", "<>"),
        ("APP_NAME", "Acme: Chat", ":"),
        ("APP_NAME", "x" * 61, "60"),
        ("MAIL_LANGUAGE", "fr", "en or de"),
        ("ALERT_URLS", "slack://a/b/c,nonsense", "address 2"),
        ("ALERT_URLS", "mailto://a b@example.org", "%20"),
    ],
)
def test_a_value_that_cannot_be_used_is_one_sentence(tmp_path: Path, name: str, value: str, words: str) -> None:
    (problem,) = refused(tmp_path, {**SERVERS, "ALLOWED_ORIGINS": "https://a.example.org", name: value})
    assert problem.startswith(f"{name}: ")
    assert words in problem


def test_a_frontend_may_call_the_api_unless_other_origins_are_named(tmp_path: Path) -> None:
    frontend = {**PRODUCTION, "FRONTEND_URL": "https://app.example.org/talk"}
    assert loaded(tmp_path, frontend).allowed_origins == ("https://chat.example.org", "https://app.example.org")
    named = {**frontend, "ALLOWED_ORIGINS": "https://a.example"}
    assert loaded(tmp_path, named).allowed_origins == ("https://a.example",)
    same = {**PRODUCTION, "FRONTEND_URL": "https://chat.example.org/talk"}
    assert loaded(tmp_path, same).allowed_origins == ("https://chat.example.org",)


def test_an_app_name_may_have_letters_of_any_script(tmp_path: Path) -> None:
    for name in ("Bücher & Co", "Чат", "チャット", "R&D (test), no. 1"):
        assert loaded(tmp_path, {**SERVERS, "APP_NAME": name}).app_name == name


def test_the_templates_of_an_operator_are_checked_when_the_settings_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    assert loaded(tmp_path, {**SERVERS, "MAIL_TEMPLATES": str(folder)}).mail_templates == folder
    (folder / "welcom.jinja").write_text("x")
    (folder / "unread.jinja").write_text("{% if %}")
    problems = refused(tmp_path, {**SERVERS, "MAIL_TEMPLATES": str(folder)})
    assert problems == [
        "MAIL_TEMPLATES: welcom.jinja replaces no template; did you mean welcome.jinja?",
        "MAIL_TEMPLATES: unread.jinja, line 1: Expected an expression, got 'end of statement block'.",
    ]


def test_alert_urls_are_separated_by_commas_and_a_wrong_one_is_never_repeated(tmp_path: Path) -> None:
    given = "slack://a/b/c, mailto://x@example.org?to=a%2Cb"
    assert loaded(tmp_path, {**SERVERS, "ALERT_URLS": given}).alert_urls == tuple(given.split(", "))
    (problem,) = refused(tmp_path, {**SERVERS, "ALERT_URLS": "a-secret"})
    assert "a-secret" not in problem
