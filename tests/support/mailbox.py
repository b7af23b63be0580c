"""A real SMTP server in this process; it keeps every mail and can refuse, stall or hang up."""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from app.local.processes import free_port

PATIENCE = 20.0


class Mailboxes:
    """`answers` are given instead of acceptance, one a letter, while there are any: `450 …`, `hang up` or `wait`."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.users: list[tuple[str, str, bool]] = []
        self.attempts = 0
        self.envelopes: list[Envelope] = []
        """As they came, each with its `content` in bytes."""
        self._letters: list[tuple[str, EmailMessage]] = []
        self.released = threading.Event()
        self.waiting = 0
        """How many letters were left waiting for their answer, ever."""

    # What aiosmtpd calls, in its own thread

    async def handle_DATA(self, server: Any, _session: Session, envelope: Envelope) -> str:
        self.attempts += 1
        answer = self.answers.pop(0) if self.answers else ""
        if answer == "hang up":
            server.transport.abort()
            return "421 gone"
        if answer == "wait":
            self._keep(envelope)
            self.waiting += 1
            await asyncio.to_thread(self.released.wait, PATIENCE)
            return "250 OK"
        if answer:
            return answer
        self._keep(envelope)
        return "250 OK"

    def authenticate(self, _server: Any, session: Session, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.users.append((data.login.decode(), data.password.decode(), session.ssl is not None))
        return AuthResult(success=data.password == b"right")

    def _keep(self, envelope: Envelope) -> None:
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        message = message_from_bytes(content, policy=default)
        assert isinstance(message, EmailMessage)
        self.envelopes.append(envelope)
        self._letters += [(recipient, message) for recipient in envelope.rcpt_tos]

    # Queries for tests

    @property
    def letters(self) -> list[tuple[str, EmailMessage]]:
        """All that came so far, with whom it was for."""
        return list(self._letters)

    def to(self, address: str, subject: str = "") -> list[EmailMessage]:
        """What came for `address` so far, with a subject that contains `subject`."""
        return [one for to, one in tuple(self._letters) if to == address and subject in str(one["subject"])]

    async def wait_for(self, address: str, subject: str = "", number: int = 1) -> EmailMessage:
        """The `number`-th such letter, once it has come."""
        end = time.monotonic() + PATIENCE
        while len(found := self.to(address, subject)) < number:
            assert time.monotonic() < end, f"no {number}. letter '{subject}' for {address}: {self._lately()}"
            await asyncio.sleep(0.02)
        return found[number - 1]

    def _lately(self) -> list[tuple[str, str]]:
        return [(address, str(letter["subject"])) for address, letter in self._letters[-9:]]


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def text_of(letter: EmailMessage) -> str:
    body = letter.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def html_of(letter: EmailMessage) -> str:
    body = letter.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def link_of(letter: EmailMessage) -> str:
    """The link a person would follow: the same in both forms of the letter."""
    parser = Links()
    parser.feed(html_of(letter))
    links = [link for link in parser.found if "#" in link]
    assert len(links) == 1
    assert links[0] in text_of(letter).split()
    return links[0]


def token_of(letter: EmailMessage) -> str:
    """The token beside the link, for who copies it by hand; the link has the same."""
    found = re.search(r"enter this token: (\S+)", text_of(letter))
    assert found is not None
    assert link_of(letter).endswith(f"={found[1]}")
    return found[1]


@contextmanager
def mail_server(
    *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, **options: Any
) -> Iterator[tuple[Mailboxes, int]]:
    """The mailboxes, and the port they are reached at."""
    mailboxes, port = Mailboxes(), free_port()
    controller = Controller(
        mailboxes,
        hostname="127.0.0.1",
        port=port,
        ssl_context=tls,
        tls_context=starttls,
        authenticator=mailboxes.authenticate,
        auth_require_tls=False,
        enable_SMTPUTF8=options.pop("enable_SMTPUTF8", True),
        **options,
    )
    controller.start()
    try:
        yield mailboxes, port
    finally:
        mailboxes.released.set()
        controller.stop()
