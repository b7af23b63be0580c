"""The links in mails: to pages of FRONTEND_URL or, without one, to the chat's own account page.

A token follows the #, so that no proxy and no log receives it. Only the one-click link has it in the query, because a
mail program posts to it (RFC 8058); that token can do nothing but end mails about one conversation.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from app.domain.users.idna_domains import to_ascii

ONE_CLICK: Final = "/api/v1/unsubscribe/one-click"
"""The path a mail client posts to when the user presses its unsubscribe button (RFC 8058)."""

PAGES: Final = {
    "activation": ("activate", "activate"),
    "forgotten_password": ("password", "reset-password"),
    "confirm_email": ("email", "confirm-email"),
    "unread": ("unsubscribe", "unsubscribe"),
}
"""What a mail's link opens, by template: the section of the account page, and the path below FRONTEND_URL."""


class MailLinks:
    """Builds links below `public_url` and, unless it is empty, `frontend_url`. Neither ends in a slash."""

    def __init__(self, public_url: str, frontend_url: str = "") -> None:
        self._public = _in_ascii(public_url)
        self._frontend = _in_ascii(frontend_url)
        self.home = self._frontend or f"{self._public}/account"
        """The footer's link. The root of PUBLIC_URL leads to documents for developers."""

        self.login = f"{self._frontend}/login" if frontend_url else ""
        """Empty without a front end: only its users know where they log in."""

        self.forgot = f"{self._frontend}/forgot-password" if frontend_url else f"{self._public}/account"

    def page(self, template: str, token: str) -> str:
        """Returns the page on which the token takes effect, `home` for a mail without one."""
        if template not in PAGES:
            return self.home
        section, path = PAGES[template]
        if self._frontend:
            return f"{self._frontend}/{path}#token={token}"
        return f"{self._public}/account#{section}={token}"

    def conversation(self, conversation: str) -> str:
        """Returns the conversation's page, or nothing without a front end."""
        return f"{self._frontend}/conversations/{conversation}" if self._frontend and conversation else ""

    def one_click(self, token: str) -> str:
        return f"{self._public}{ONE_CLICK}?token={token}"


def _in_ascii(url: str) -> str:
    """Returns `url` with its host in ASCII, or unchanged if the host cannot be encoded."""
    host = urlsplit(url).hostname or ""
    if host.isascii():
        return url
    try:
        return url.replace(host, to_ascii(host), 1)
    except UnicodeError:
        return url
