"""Letters: each written once (`*.jinja`), rendered as text and as HTML, with links that begin with PUBLIC_URL."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Final
from uuid import UUID

from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape

from app.domain.users.letters import Letter

ASCII: Final = SMTP.clone(cte_type="7bit")
"""For servers of any age."""

TEMPLATES: Final = Path(__file__).parent
PAGES: Final = {
    "activation": "activate",
    "forgotten_password": "password",
    "confirm_email": "email",
    "unread": "unsubscribe",
}
"""What the link of a letter opens on the account page."""

A_NAME: Final = re.compile(r"[\w '’-]{1,40}")


class Letterhead:
    """Whom letters come from (`chat@example.org` or `Chat <chat@example.org>`), and where their links lead."""

    def __init__(self, public_url: str, sender: str) -> None:
        self._public_url = public_url
        self._sender = sender
        self._texts = Environment(
            loader=FunctionLoader(_source),
            undefined=StrictUndefined,
            trim_blocks=True,
            autoescape=select_autoescape(["html"], default=False),
        )

    def write(self, letter: Letter, mail: UUID) -> EmailMessage:
        """The message, with both forms. The same mail always has the same Message-ID."""
        message = EmailMessage(policy=ASCII if letter.address.isascii() else SMTPUTF8)
        subject, text = self._render(letter, "txt")
        message["Subject"] = subject
        message["From"] = self._sender
        message["To"] = Address(addr_spec=letter.address) if letter.address.isascii() else letter.address
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = f"<{mail}@{parseaddr(self._sender)[1].rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        if letter.template == "unread":
            message["List-Unsubscribe"] = f"<{self._link(letter)}>"
        message.set_content(text)
        message.add_alternative(self._render(letter, "html")[1], subtype="html")
        return message

    def _link(self, letter: Letter) -> str:
        """After the #: no server on the way, and no log, is told the token."""
        page = PAGES.get(letter.template)
        return f"{self._public_url}/account#{page}={letter.token}" if page else self._public_url

    def _render(self, letter: Letter, form: str) -> tuple[str, str]:
        """(subject, body)"""
        template = self._texts.get_template(f"{letter.template}.{form}")
        context = {
            "form": f"forms/page.{form}",
            "pieces": f"forms/pieces.{form}",
            "link": self._link(letter),
            "token": letter.token,
            "url": self._public_url,
            "domain": self._public_url.partition("://")[2],
            "hello": _hello(letter.facts.get("first_name", "")),
            **letter.facts,
        }
        subject = "".join(template.blocks["subject"](template.new_context(context))).strip()
        return subject, template.render(context, subject=subject).strip() + "\n"


def _hello(first_name: str) -> str:
    # A stranger chose the name and whom this is mailed to: it must not advertise a site of theirs.
    return f"Hello {first_name}," if A_NAME.fullmatch(first_name) else "Hello,"


def _source(name: str) -> str | None:
    """The source of `welcome.txt` and of `welcome.html` is one and the same; the forms they take differ."""
    own, shared = TEMPLATES / f"{name}.jinja", TEMPLATES / f"{name.rpartition('.')[0]}.jinja"
    return next((file.read_text(encoding="utf-8") for file in (own, shared) if file.is_file()), None)
