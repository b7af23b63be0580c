"""Mail templates: one source each (`*.jinja`), rendered as text and as HTML. Links begin with PUBLIC_URL."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape

from app.domain.accounts.account_mail import MailContent
from app.domain.users.idna_domains import to_ascii
from app.tasks.letters import headers
from app.tasks.mail_transport import MailObject

BODY: Final = SMTP.clone(cte_type="7bit")
"""7-bit encoding, which every mail server accepts."""

ONE_CLICK: Final = "/api/v1/unsubscribe/one-click"
"""The path a mail client posts to when the user presses its unsubscribe button (RFC 8058)."""

TEMPLATES: Final = Path(__file__).parent
PAGES: Final = {
    "activation": "activate",
    "forgotten_password": "password",
    "confirm_email": "email",
    "unread": "unsubscribe",
}
"""The section of the account page that a mail's link opens, by template."""

A_NAME: Final = re.compile(r"(?=.{1,40}\Z)[^\W\d_]+(?:[ '’-]{1,2}[^\W\d_]+){0,3}")
"""One to four words of letters, up to 40 characters in total."""


class MailRenderer:
    """Renders mails from `sender` (`chat@example.org` or `Chat <chat@example.org>`), with links to `public_url`.

    Raises:
        PermanentFailure: the sender's address is not allowed in a header.
    """

    def __init__(self, public_url: str, sender: str) -> None:
        self._public_url = _in_ascii(public_url)
        self._from = headers.mailbox(sender)
        self._sender = self._from.rpartition("<")[2].rstrip(">")
        self._texts = Environment(
            loader=FunctionLoader(_source),
            undefined=StrictUndefined,
            trim_blocks=True,
            autoescape=select_autoescape(["html"], default=False),
        )

    def write(self, letter: MailContent, mail: UUID) -> MailObject:
        """Returns the mail with its text and HTML body. The same mail always has the same Message-ID.

        Raises:
            PermanentFailure: the recipient's address is not allowed in a header.
        """
        recipient = headers.address(letter.address)
        subject = self._subject(letter)
        fields = [
            ("Subject", headers.text(subject)),
            ("From", self._from),
            ("To", recipient),
            ("Date", format_datetime(datetime.now(UTC))),
            ("Message-ID", f"<{mail}@{self._sender.rpartition('@')[2]}>"),
            ("Auto-Submitted", "auto-generated"),
        ]
        if letter.template == "unread":
            one_click = f"{self._public_url}{ONE_CLICK}?token={letter.token}"
            fields += [
                ("List-Unsubscribe", headers.url(one_click)),
                ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ]
        body = EmailMessage(policy=BODY)
        body.set_content(self._body(letter, "txt", subject))
        body.add_alternative(self._body(letter, "html", subject), subtype="html")
        # The `email` package writes only the body: none of our values reaches its headers.
        content = headers.head(fields) + body.as_bytes()
        return MailObject(id=mail, sender=self._sender, recipient=recipient, content=content)

    def _link(self, letter: MailContent) -> str:
        """The token follows the #, so that no proxy and no log receives it."""
        page = PAGES.get(letter.template)
        return f"{self._public_url}/account#{page}={letter.token}" if page else self._public_url

    def _subject(self, letter: MailContent) -> str:
        template = self._texts.get_template(f"{letter.template}.txt")
        return "".join(template.blocks["subject"](template.new_context(self._context(letter, "txt")))).strip()

    def _body(self, letter: MailContent, form: str, subject: str) -> str:
        template = self._texts.get_template(f"{letter.template}.{form}")
        return template.render(self._context(letter, form), subject=subject).strip() + "\n"

    def _context(self, letter: MailContent, form: str) -> dict[str, object]:
        return {
            "form": f"forms/page.{form}",
            "pieces": f"forms/pieces.{form}",
            "link": self._link(letter),
            "token": letter.token,
            "url": self._public_url,
            "domain": self._public_url.partition("://")[2],
            "hello": _hello(letter.facts.get("first_name", "")),
            **letter.facts,
        }


def _in_ascii(url: str) -> str:
    """Returns `url` with its host in ASCII, or unchanged if the host cannot be encoded."""
    host = urlsplit(url).hostname or ""
    if host.isascii():
        return url
    try:
        return url.replace(host, to_ascii(host), 1)
    except UnicodeError:
        return url


def _hello(first_name: str) -> str:
    # A stranger may choose both name and recipient: the name must not advertise a website or phone number.
    return f"Hello {first_name}," if A_NAME.fullmatch(first_name) else "Hello,"


def _source(name: str) -> str | None:
    """Returns the source of a template: `welcome.txt` and `welcome.html` share `welcome.jinja`, the forms differ."""
    own, shared = TEMPLATES / f"{name}.jinja", TEMPLATES / f"{name.rpartition('.')[0]}.jinja"
    return next((file.read_text(encoding="utf-8") for file in (own, shared) if file.is_file()), None)
