"""The name of the deployment in its mails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from uuid import uuid4

import pytest

from app.domain.accounts.account_mail import MailContent
from app.domain.auth import mailed_tokens
from app.tasks.letters import template_check, templates
from app.tasks.letters.renderer import MailRenderer, MailStyle

URL = "https://chat.example.org"


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("chat@example.org", "Bücher & Co <chat@example.org>"),
        ("Support <chat@example.org>", "Support <chat@example.org>"),
    ],
)
def test_the_name_of_the_app_is_the_senders_name_unless_there_is_one(sender: str, expected: str) -> None:
    renderer = MailRenderer(URL, sender, MailStyle(app_name="Bücher & Co"))
    mail = renderer.write(template_check.samples("welcome")[0], uuid4())
    message = message_from_bytes(mail.content, policy=default)
    assert message["From"] == expected
    assert message["Subject"] == "Welcome to Bücher & Co"
    assert mail.sender == "chat@example.org"


@pytest.mark.parametrize("language", templates.languages())
@pytest.mark.parametrize("letter", sorted({*templates.letters()} - {"broadcast"}))
def test_each_mail_names_the_app_in_subject_text_and_html(letter: str, language: str) -> None:
    renderer = MailRenderer(URL, "chat@example.org", MailStyle(app_name="Engines & Co", language=language))
    for content in template_check.samples(letter):
        mail = renderer.render(content, datetime.now(UTC))
        assert "Engines & Co" in mail.subject
        assert "Engines & Co" in mail.text
        assert "Engines &amp; Co</a>" in mail.html


def test_a_mail_says_how_long_its_token_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mailed_tokens.LIFETIMES, "activation", timedelta(days=1))
    monkeypatch.setitem(mailed_tokens.LIFETIMES, "password", timedelta(hours=5))
    renderer = MailRenderer(URL, "chat@example.org")

    def words(template: str) -> str:
        content = MailContent(template=template, address="ada@example.org", token="t")
        return " ".join(renderer.render(content, datetime.now(UTC)).text.split())

    assert "within a day:" in words("activation")
    assert "within 5 hours:" in words("forgotten_password")


def test_an_operators_template_replaces_the_packaged_one() -> None:
    own = (
        "{% extends form %}{% block subject %}Hi from {{ app_name }}{% endblock %}"
        "{% block letter %}<b>{{ first_name }}</b>{% endblock %}"
    )
    style = MailStyle(replacements={"welcome.jinja": own, "forms/mail.css": "b { color: #123456; }"})
    renderer = MailRenderer(URL, "chat@example.org", style)
    mail = renderer.render(template_check.samples("welcome")[0], datetime.now(UTC))
    assert mail.subject == "Hi from Chat"
    assert '<b style="color: #123456;">Ada</b>' in mail.html
    assert renderer.render(template_check.samples("activation")[0], datetime.now(UTC)).subject.startswith("Activate")


def test_values_in_an_operators_html_stay_escaped() -> None:
    own = "{% extends form %}{% block subject %}x{% endblock %}{% block letter %}{{ title }}{% endblock %}"
    renderer = MailRenderer(URL, "chat@example.org", MailStyle(replacements={"broadcast.jinja": own}))
    content = MailContent(
        template="broadcast", address="ada@example.org", facts={"title": "<img src=x>", "paragraphs": []}
    )
    mail = renderer.render(content, datetime.now(UTC))
    assert "&lt;img src=x&gt;" in mail.html
    assert "<img" not in mail.html
    assert "<img src=x>" in mail.text
