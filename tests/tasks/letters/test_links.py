"""Where mails lead: to the front end that the deployment names, otherwise to the chat's own account page."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from uuid import uuid4

import pytest

from app.tasks.letters import template_check, templates
from app.tasks.letters.links import MailLinks
from app.tasks.letters.renderer import MailRenderer, MailStyle
from tests.support.mailbox import Links

URL = "https://chat.example.org"
APP = "https://example.org/talk"
CONVERSATION = "00000000-0000-7000-8000-000000000000"
OWN = MailRenderer(URL, "chat@example.org")
WITH_FRONTEND = MailRenderer(URL, "chat@example.org", MailStyle(app_name="Engines & Co", frontend_url=APP))


def links_of(renderer: MailRenderer, letter: str) -> list[str]:
    """All links of a mail; the text has the same as the HTML."""
    mail = renderer.render(template_check.samples(letter)[0], datetime.now(UTC))
    parser = Links()
    parser.feed(mail.html)
    assert sorted(set(parser.found)) == sorted({word for word in mail.text.split() if word.startswith("https://")})
    return parser.found


@pytest.mark.parametrize(
    ("letter", "own", "frontend"),
    [
        ("activation", [f"{URL}/account#activate=sample-token"], [f"{APP}/activate#token=sample-token"]),
        ("forgotten_password", [f"{URL}/account#password=sample-token"], [f"{APP}/reset-password#token=sample-token"]),
        ("confirm_email", [f"{URL}/account#email=sample-token"], [f"{APP}/confirm-email#token=sample-token"]),
        (
            "unread",
            [f"{URL}/account#unsubscribe=sample-token"],
            [f"{APP}/conversations/{CONVERSATION}", f"{APP}/unsubscribe#token=sample-token"],
        ),
        ("welcome", [f"{URL}/account"], [f"{APP}/login", f"{APP}/forgot-password"]),
        ("password_changed", [f"{URL}/account"], [f"{APP}/forgot-password"]),
        ("known_already", [f"{URL}/account"], [f"{APP}/forgot-password"]),
        ("new_login", [f"{URL}/account"], [f"{APP}/forgot-password"]),
        ("account_closed", [], []),
    ],
)
def test_a_mail_links_to_the_frontend_or_to_the_own_page(letter: str, own: list[str], frontend: list[str]) -> None:
    assert links_of(OWN, letter) == [*own, f"{URL}/account"]
    assert links_of(WITH_FRONTEND, letter) == [*frontend, APP]


@pytest.mark.parametrize("letter", templates.letters())
def test_no_link_leads_a_reader_to_the_documents_for_developers(letter: str) -> None:
    assert [link for link in links_of(OWN, letter) if not link.startswith(f"{URL}/account")] == []
    assert [link for link in links_of(WITH_FRONTEND, letter) if not link.startswith(APP)] == []


def test_the_one_click_link_stays_with_the_api() -> None:
    mail = WITH_FRONTEND.write(template_check.samples("unread")[0], uuid4())
    message = message_from_bytes(mail.content, policy=default)
    assert message["List-Unsubscribe"] == f"<{URL}/api/v1/unsubscribe/one-click?token=sample-token>"


def test_a_host_with_other_letters_is_linked_in_ascii() -> None:
    assert MailLinks("https://bücher.example", "https://faß.example/x").home == "https://xn--fa-hia.example/x"
    assert MailLinks("https://bücher.example").home == "https://xn--bcher-kva.example/account"
