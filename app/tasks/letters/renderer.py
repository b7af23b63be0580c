"""Renders mails as text and as HTML, with a header that no value of ours can add to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from app.domain.accounts.account_mail import MailContent
from app.domain.auth.mailed_tokens import LIFETIMES, Purpose
from app.tasks.letters import headers, templates
from app.tasks.letters.links import MailLinks
from app.tasks.mail_transport import MailObject

BODY: Final = SMTP.clone(cte_type="7bit")
"""7-bit encoding, which every mail server accepts."""

PURPOSES: Final[dict[str, Purpose]] = {
    "activation": "activation",
    "forgotten_password": "password",
    "confirm_email": "email",
    "login_code": "login",
}
"""The purpose of a mail's token by template: it says how long the token is valid."""

A_NAME: Final = re.compile(r"(?=.{1,40}\Z)[^\W\d_]+(?:[ '’-]{1,2}[^\W\d_]+){0,3}")
"""One to four words of letters, up to 40 characters in total."""

_EMPTY_LINES: Final = re.compile(r"\n{3,}")


class MailStyle(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment chooses. `replacements` are its own templates: their sources by name."""

    app_name: str = "Chat"
    frontend_url: str = ""
    language: str = "en"
    replacements: Mapping[str, str] = {}


class RenderedMail(NamedTuple):
    subject: str
    text: str
    html: str


class MailRenderer:
    """Renders mails from `sender` (`chat@example.org` or `Chat <chat@example.org>`; by default the app's name is used).

    Raises:
        PermanentFailure: the sender's address is not allowed in a header.
    """

    def __init__(self, public_url: str, sender: str, style: MailStyle = MailStyle()) -> None:  # noqa: B008 - frozen
        # Imported here: API processes import this module and render no mail.
        from css_inline import CSSInliner

        self._links = MailLinks(public_url, style.frontend_url)
        self._style = style
        self._from = headers.mailbox(sender if "<" in sender else f"{style.app_name} <{sender}>")
        self._sender = self._from.rpartition("<")[2].rstrip(">")
        self._environment = templates.open_environment(style.language, {**templates.packaged(), **style.replacements})
        # Nothing is fetched: a stylesheet at a URL could change, or be away, with every mail.
        self._styles = CSSInliner(load_remote_stylesheets=False)

    def write(self, letter: MailContent, mail: UUID, *, posted_at: datetime | None = None) -> MailObject:
        """Returns the mail with its text and HTML body. The same mail always has the same Message-ID. `posted_at` is
        when the mail was caused, by default now.

        Raises:
            PermanentFailure: the recipient's address is not allowed in a header.
        """
        recipient = headers.address(letter.address)
        written = self.render(letter, posted_at or datetime.now(UTC))
        fields = [
            ("Subject", headers.text(written.subject)),
            ("From", self._from),
            ("To", recipient),
            ("Date", format_datetime(datetime.now(UTC))),
            ("Message-ID", f"<{mail}@{self._sender.rpartition('@')[2]}>"),
            ("Auto-Submitted", "auto-generated"),
        ]
        if letter.template == "unread":
            fields += [
                ("List-Unsubscribe", headers.url(self._links.one_click(letter.token))),
                ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ]
        body = EmailMessage(policy=BODY)
        body.set_content(written.text)
        body.add_alternative(written.html, subtype="html")
        # The `email` package writes only the body: none of our values reaches its headers.
        content = headers.head(fields) + body.as_bytes()
        return MailObject(id=mail, sender=self._sender, recipient=recipient, content=content)

    def render(self, letter: MailContent, posted_at: datetime) -> RenderedMail:
        """Raises the errors of jinja if a template of the operator fails."""
        context = self.context_of(letter, posted_at)
        template = self._environment.get_template(f"{letter.template}.txt")
        block = template.blocks["subject"]
        context["subject"] = "".join(block(template.new_context(_in_form("txt", context)))).strip()
        text, html = (
            self._environment.get_template(f"{letter.template}.{form}").render(_in_form(form, context)).strip() + "\n"
            for form in templates.FORMS
        )
        # Mail programs drop stylesheets, so each rule becomes the `style` of the elements it names.
        return RenderedMail(context["subject"], _EMPTY_LINES.sub("\n\n", text), self._styles.inline(html))

    def context_of(self, letter: MailContent, posted_at: datetime) -> dict[str, Any]:
        """Returns what the mail's templates may name, apart from those they share."""
        purpose = PURPOSES.get(letter.template)
        lifetime = LIFETIMES[purpose].total_seconds() if purpose else 0
        return {
            **letter.facts,
            "first_name": _shown_name(letter.facts.get("first_name", "")),
            "app_name": self._style.app_name,
            "language": self._style.language,
            "link": self._links.page(letter.template, letter.token),
            "token": letter.token,
            "hours": int(lifetime // 3_600),
            "days": int(lifetime // 86_400),
            "posted_at": posted_at,
            "home": self._links.home,
            "login_link": self._links.login,
            "forgot_link": self._links.forgot,
            "conversation_link": self._links.conversation(letter.facts.get("conversation", "")),
        }


def _in_form(form: str, context: dict[str, Any]) -> dict[str, Any]:
    shared = {"form": f"forms/page.{form}", "pieces": f"forms/pieces.{form}", "words": f"forms/words.{form}"}
    return {**context, **shared}


def _shown_name(first_name: str) -> str:
    # A stranger may choose both name and recipient: the name must not advertise a website or phone number.
    return first_name if A_NAME.fullmatch(first_name) else ""
