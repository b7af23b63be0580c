"""Mail transports: a mail server or, if none is configured, files for developers.

The errors say what is *known*: certainly not accepted (retry), permanently rejected, or possibly accepted.
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
from app.domain.users.idna_domains import to_ascii

log = structlog.get_logger(__name__)

SMTP_TIMEOUT_SECONDS: Final = 10.0
"""Timeout for each reply of the mail server."""

MAX_FILES: Final = 1_000


class TemporaryFailure(Exception):
    """The mail was surely not accepted. A later attempt may succeed."""


class PermanentFailure(Exception):
    """The mail will never be accepted."""


class AmbiguousFailure(Exception):
    """The outcome is unknown: the connection was lost after the content was sent and before the reply."""


class MailObject(msgspec.Struct, frozen=True, kw_only=True):
    """A mail object of SMTP (RFC 5321, 2.3.1): the envelope's two addresses with ASCII domains, and the content, with
    lines that end in CR LF."""

    id: UUID
    sender: str
    recipient: str
    content: bytes

    @property
    def needs_smtputf8(self) -> bool:
        """True if the local part of an address is not ASCII (RFC 6531). Nothing else in a mail needs SMTPUTF8."""
        return not (self.sender + self.recipient).isascii()


class MailTransport(Protocol):
    def send(self, mail: MailObject, /) -> str:
        """Returns `sent` or `written` once the mail is accepted.

        Raises:
            TemporaryFailure, PermanentFailure, AmbiguousFailure
        """


def open_transport(smtp_url: str, directory: Path) -> MailTransport:
    """Returns a transport to the mail server of SMTP_URL, or to files in `directory` if that is empty."""
    return SmtpTransport(smtp_url) if smtp_url else FileTransport(directory)


class SmtpTransport:
    """`smtps://` uses TLS from the start; `smtp://` uses STARTTLS if the server offers it.

    TLS is required with `smtp+starttls://`, and with a user in the URL unless the server is on this machine.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        host = parts.hostname or "localhost"
        # The socket would encode it by IDNA 2003, and our password could go to another machine.
        self._host = host if host.isascii() else to_ascii(host)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._implicit_tls = parts.scheme == "smtps"
        self._port = parts.port or (465 if self._implicit_tls else 587 if self._user else 25)
        is_local = self._host in ("localhost", "127.0.0.1", "::1")
        self._requires_tls = parts.scheme == "smtp+starttls" or (bool(self._user) and not is_local)
        self._context = ssl.create_default_context()

    def send(self, mail: MailObject, /) -> str:
        try:
            server = self._connected()
            try:
                self._send_envelope(server, mail)
                _transmit(server, mail.content)
            finally:
                with suppress(OSError):
                    server.quit()
                server.close()
        except OSError as error:  # includes smtplib's own errors
            raise TemporaryFailure(_sentence(error)) from error
        return SENT

    def _connected(self) -> smtplib.SMTP:
        if self._implicit_tls:
            return smtplib.SMTP_SSL(self._host, self._port, timeout=SMTP_TIMEOUT_SECONDS, context=self._context)
        return smtplib.SMTP(self._host, self._port, timeout=SMTP_TIMEOUT_SECONDS)

    def _send_envelope(self, server: smtplib.SMTP, mail: MailObject) -> None:
        server.ehlo()
        if not self._implicit_tls and (self._requires_tls or server.has_extn("starttls")):
            if not server.has_extn("starttls"):
                raise TemporaryFailure(
                    "the server does not offer TLS, and the password of SMTP_URL is never sent unencrypted"
                )
            server.starttls(context=self._context)
            server.ehlo()
        if self._user:
            server.login(self._user, self._password)
        if mail.needs_smtputf8 and not server.has_extn("smtputf8"):
            raise PermanentFailure("the server accepts only ASCII addresses")
        _check(*server.mail(mail.sender, ["SMTPUTF8"] if mail.needs_smtputf8 else []))
        _check(*server.rcpt(mail.recipient))


class FileTransport:
    """Writes `DATA_DIR/mail/*.eml` and keeps the newest thousand."""

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
            self._delete_old()
        except OSError as error:
            raise TemporaryFailure(_sentence(error)) from error
        log.info("mail_written", file=str(file))
        return WRITTEN

    def _delete_old(self) -> None:
        for old in sorted(self._directory.glob("*.eml"))[:-MAX_FILES]:
            old.unlink(missing_ok=True)


def _transmit(server: smtplib.SMTP, content: bytes) -> None:
    try:
        code, text = server.data(content)
    except smtplib.SMTPDataError as error:  # rejected before the content was sent
        code, text = error.smtp_code, error.smtp_error if isinstance(error.smtp_error, bytes) else b""
    except OSError as error:
        raise AmbiguousFailure(_sentence(error)) from error
    _check(code, text)


def _check(code: int, text: bytes) -> None:
    if 200 <= code < 300:
        return
    if code < 200:
        raise AmbiguousFailure(f"an invalid reply: {code}")
    reply = f"{code} {text.decode(errors='replace')[:200]}"
    raise (TemporaryFailure if code < 500 else PermanentFailure)(reply)


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
