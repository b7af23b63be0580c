"""Handing letters over: to a mail server, or, where none is named, to files that a developer opens.

What matters to the caller is what is *known*: surely not accepted (try again), refused for good, or perhaps accepted.
"""

from __future__ import annotations

import smtplib
import ssl
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit
from uuid import UUID

import msgspec
import structlog

from app.domain.mails.outbox import SENT, WRITTEN
from app.domain.users.mail_domains import to_ascii

log = structlog.get_logger(__name__)

SMTP_TIMEOUT_SECONDS: Final = 10.0
"""For each answer of the mail server."""

MAX_FILES: Final = 1_000


class TemporaryFailure(Exception):
    """It surely was not accepted, and may be later."""


class PermanentFailure(Exception):
    """It will never be accepted."""


class AmbiguousFailure(Exception):
    """The connection was lost after the letter and before the answer."""


class MailObject(msgspec.Struct, frozen=True, kw_only=True):
    """What SMTP carries (RFC 5321, 2.3.1): the envelope's two addresses with their domains in ASCII, and the content,
    in lines that end with CR LF."""

    id: UUID
    sender: str
    recipient: str
    content: bytes

    @property
    def needs_smtputf8(self) -> bool:
        """Whether the part before an @ is not ASCII (RFC 6531): nothing else of a mail needs it."""
        return not (self.sender + self.recipient).isascii()


class MailTransport(Protocol):
    def send(self, mail: MailObject, /) -> str:
        """The outcome, `sent` or `written`, once it was accepted. Raises NotNow, Refused, Unsure."""


def open_transport(smtp_url: str, directory: Path) -> MailTransport:
    """The mail server of SMTP_URL, else files in `directory`."""
    return SmtpTransport(smtp_url) if smtp_url else FileTransport(directory)


class SmtpTransport:
    """`smtps://` speaks TLS from the start; `smtp://` begins TLS when the server can (STARTTLS).

    With a user in the URL, or with `smtp+starttls://`, TLS is a must, except to this machine itself.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        host = parts.hostname or "localhost"
        # The socket would convert it by IDNA 2003, and our password would go to another machine.
        self._host = host if host.isascii() else to_ascii(host)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._tls_at_once = parts.scheme == "smtps"
        self._port = parts.port or (465 if self._tls_at_once else 587 if self._user else 25)
        is_near = self._host in ("localhost", "127.0.0.1", "::1")
        self._tls_is_a_must = parts.scheme == "smtp+starttls" or (bool(self._user) and not is_near)
        self._context = ssl.create_default_context()

    def send(self, mail: MailObject, /) -> str:
        try:
            server = self._connected()
            try:
                self._address(server, mail)
                _hand_over(server, mail.content)
            finally:
                with suppress(OSError):
                    server.quit()
                server.close()
        except OSError as error:  # smtplib's own are of it, too
            raise TemporaryFailure(_words(error)) from error
        return SENT

    def _connected(self) -> smtplib.SMTP:
        if self._tls_at_once:
            return smtplib.SMTP_SSL(self._host, self._port, timeout=SMTP_TIMEOUT_SECONDS, context=self._context)
        return smtplib.SMTP(self._host, self._port, timeout=SMTP_TIMEOUT_SECONDS)

    def _address(self, server: smtplib.SMTP, mail: MailObject) -> None:
        server.ehlo()
        if not self._tls_at_once and (self._tls_is_a_must or server.has_extn("starttls")):
            if not server.has_extn("starttls"):
                raise TemporaryFailure("the server offers no TLS, and the password of SMTP_URL is not sent without")
            server.starttls(context=self._context)
            server.ehlo()
        if self._user:
            server.login(self._user, self._password)
        if mail.needs_smtputf8 and not server.has_extn("smtputf8"):
            raise PermanentFailure("the server knows ASCII addresses only")
        _judge(*server.mail(mail.sender, ["SMTPUTF8"] if mail.needs_smtputf8 else []))
        _judge(*server.rcpt(mail.recipient))


class FileTransport:
    """`DATA_DIR/mail/*.eml`, the newest thousand of them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def send(self, mail: MailObject, /) -> str:
        file = self._directory / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{mail.id}.eml"
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = file.with_suffix(".draft")
            draft.touch(mode=0o600)
            draft.write_bytes(mail.content)
            draft.rename(file)
            self._forget_old()
        except OSError as error:
            raise TemporaryFailure(_words(error)) from error
        log.info("mail_written", file=str(file))
        return WRITTEN

    def _forget_old(self) -> None:
        for old in sorted(self._directory.glob("*.eml"))[:-MAX_FILES]:
            old.unlink(missing_ok=True)


def _hand_over(server: smtplib.SMTP, content: bytes) -> None:
    try:
        code, words = server.data(content)
    except smtplib.SMTPDataError as error:  # not even begun
        code, words = error.smtp_code, error.smtp_error if isinstance(error.smtp_error, bytes) else b""
    except OSError as error:
        raise AmbiguousFailure(_words(error)) from error
    _judge(code, words)


def _judge(code: int, words: bytes) -> None:
    if 200 <= code < 300:
        return
    if code < 200:
        raise AmbiguousFailure(f"an answer that is none: {code}")
    said = f"{code} {words.decode(errors='replace')[:200]}"
    raise (TemporaryFailure if code < 500 else PermanentFailure)(said)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
