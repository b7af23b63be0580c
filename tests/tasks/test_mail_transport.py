"""Handing over to a real mail server: what is accepted, refused, perhaps accepted, and what only TLS may carry."""

from __future__ import annotations

import ssl
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from app.domain.accounts.account_mail import MailContent
from app.local.processes import free_port
from app.tasks import mail_transport
from app.tasks.letters.renderer import MailRenderer
from app.tasks.mail_transport import AmbiguousFailure, MailObject, PermanentFailure, TemporaryFailure, open_transport
from tests.support.mailbox import mail_server, text_of

CERTIFICATE = Path(__file__).with_name("localhost.pem")
"""Of localhost, signed by itself, with its key: for these tests only."""

LETTERHEAD = MailRenderer("https://chat.example.org", "Chat <chat@example.org>")
ANYWHERE = Path("unused")
UNREAD = {
    "first_name": "Ada",
    "name": "Grüße an alle",
    "lines": [{"who": "Grace", "text": "héllo", "type": "text"}],
    "more": False,
}


def letter(address: str = "ada@example.org", mail: UUID | None = None) -> MailObject:
    return LETTERHEAD.write(
        MailContent(template="welcome", address=address, facts={"first_name": "Ädä"}), mail or uuid4()
    )


@pytest.fixture
def tls(monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's TLS, which our side trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


async def test_a_mail_arrives_as_it_was_written() -> None:
    with mail_server() as (mailboxes, port):
        mail = uuid4()
        open_transport(f"smtp://127.0.0.1:{port}", ANYWHERE).send(letter(mail=mail))
        [came] = mailboxes.to("ada@example.org")
    assert came["From"] == "Chat <chat@example.org>"
    assert came["Message-ID"] == f"<{mail}@example.org>"
    assert "Hello Ädä," in text_of(came)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("450 later", TemporaryFailure),
        ("452 full", TemporaryFailure),
        ("550 nobody here", PermanentFailure),
        ("554 spam", PermanentFailure),
        ("hang up", AmbiguousFailure),
        ("-1 rubbish", AmbiguousFailure),
    ],
)
def test_the_answer_of_the_mail_server_decides_the_outcome(answer: str, outcome: type[Exception]) -> None:
    with mail_server() as (mailboxes, port):
        mailboxes.answers = [answer]
        with pytest.raises(outcome):
            open_transport(f"smtp://127.0.0.1:{port}", ANYWHERE).send(letter())
        assert mailboxes.to("ada@example.org") == []


def test_a_silent_mail_server_is_an_ambiguous_failure_after_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_transport, "SMTP_TIMEOUT_SECONDS", 0.3)
    with mail_server() as (mailboxes, port):
        mailboxes.answers = ["wait"]
        with pytest.raises(AmbiguousFailure):
            open_transport(f"smtp://127.0.0.1:{port}", ANYWHERE).send(letter())


def test_an_unreachable_mail_server_is_a_temporary_failure() -> None:
    with pytest.raises(TemporaryFailure):
        open_transport(f"smtp://127.0.0.1:{free_port()}", ANYWHERE).send(letter())


def test_with_smtps_the_password_is_sent_over_tls(tls: ssl.SSLContext) -> None:
    with mail_server(tls=tls) as (mailboxes, port):
        open_transport(f"smtps://api%40key:right@localhost:{port}", ANYWHERE).send(letter())
        assert mailboxes.to("ada@example.org")
        assert [(user, password) for user, password, _ in mailboxes.users] == [("api@key", "right")]


def test_with_starttls_the_password_is_sent_over_tls(tls: ssl.SSLContext) -> None:
    with mail_server(starttls=tls) as (mailboxes, port):
        open_transport(f"smtp://key:right@localhost:{port}", ANYWHERE).send(letter())
        assert mailboxes.to("ada@example.org")
        assert mailboxes.users == [("key", "right", True)]


def test_an_untrusted_certificate_is_a_temporary_failure(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with mail_server(starttls=tls) as (mailboxes, port):
        with pytest.raises(TemporaryFailure, match="CERTIFICATE_VERIFY_FAILED"):
            open_transport(f"smtp://key:right@localhost:{port}", ANYWHERE).send(letter())
        assert mailboxes.users == []


def test_with_required_tls_no_mail_is_sent_in_clear() -> None:
    with mail_server() as (mailboxes, port):
        with pytest.raises(TemporaryFailure, match="TLS"):
            open_transport(f"smtp+starttls://localhost:{port}", ANYWHERE).send(letter())
        assert mailboxes.to("ada@example.org") == []


def test_a_wrong_smtp_password_is_a_temporary_failure(tls: ssl.SSLContext) -> None:
    with mail_server(starttls=tls) as (mailboxes, port):
        with pytest.raises(TemporaryFailure):
            open_transport(f"smtp://key:wrong@localhost:{port}", ANYWHERE).send(letter())
        assert mailboxes.to("ada@example.org") == []


@pytest.mark.parametrize("offered", [True, False])
@pytest.mark.parametrize(
    ("kept", "wire"),
    [
        ("x@bücher.example", "x@xn--bcher-kva.example"),
        ("x@faß.example", "x@xn--fa-hia.example"),
        ("x@σοφός.example", "x@xn--0xagbn4a.example"),
    ],
)
def test_a_mail_to_an_international_domain_uses_idna_2008_and_ascii_headers(
    kept: str, wire: str, offered: bool
) -> None:
    """IDNA 2003 would mail `x@fass.example` the tokens of `x@faß.example`: another domain, with another owner."""
    renderer = MailRenderer("https://bücher.example", "Grüße <chat@faß.example>")
    mail = renderer.write(MailContent(template="unread", address=kept, token="abc", facts=UNREAD), uuid4())
    with mail_server(enable_SMTPUTF8=offered) as (mailboxes, port):
        assert open_transport(f"smtp://127.0.0.1:{port}", ANYWHERE).send(mail) == "sent"
        [(recipient, came)] = mailboxes.letters
        [envelope] = mailboxes.envelopes
    assert (recipient, envelope.mail_from, envelope.smtp_utf8) == (wire, "chat@xn--fa-hia.example", False)
    assert came["To"] == wire
    assert came["From"] == "Grüße <chat@xn--fa-hia.example>"
    assert came["Subject"] == "Unread in Grüße an alle (Chat)"
    assert "<https://xn--bcher-kva.example/" in came["List-Unsubscribe"]
    assert isinstance(envelope.content, bytes)
    assert envelope.content.partition(b"\r\n\r\n")[0].isascii()


def test_an_international_local_part_requires_smtputf8() -> None:
    with mail_server() as (mailboxes, port):
        open_transport(f"smtp://127.0.0.1:{port}", ANYWHERE).send(letter("jürgen@bücher.example"))
        [came] = mailboxes.to("jürgen@xn--bcher-kva.example")
        assert [one.smtp_utf8 for one in mailboxes.envelopes] == [True]
    assert came["To"] == "jürgen@xn--bcher-kva.example"
    with mail_server(enable_SMTPUTF8=False) as (mailboxes, port), pytest.raises(PermanentFailure, match="ASCII"):
        open_transport(f"smtp://127.0.0.1:{port}", ANYWHERE).send(letter("jürgen@example.org"))
    assert mailboxes.letters == []


def test_the_host_of_the_mail_server_is_converted_by_idna_2008(monkeypatch: pytest.MonkeyPatch) -> None:
    requested: list[str] = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> None:
        requested.append(address[0])
        raise OSError

    monkeypatch.setattr("smtplib.socket.create_connection", connect)
    with pytest.raises(TemporaryFailure):
        open_transport("smtp://faß.example", ANYWHERE).send(letter())
    assert requested == ["xn--fa-hia.example"]


def test_without_a_server_mails_are_private_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_transport, "MAX_FILES", 3)
    files = open_transport("", tmp_path / "mail")
    assert [files.send(letter()) for _ in range(5)] == ["written"] * 5
    kept = sorted((tmp_path / "mail").iterdir())
    assert [file.suffix for file in kept] == [".eml"] * 3
    assert kept[0].stat().st_mode & 0o077 == (tmp_path / "mail").stat().st_mode & 0o077 == 0
    came = message_from_bytes(kept[0].read_bytes(), policy=default)
    assert came["Subject"] == "Welcome to Chat"


def test_an_unwritable_mail_directory_is_a_temporary_failure(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file where the directory should be")
    with pytest.raises(TemporaryFailure):
        open_transport("", tmp_path / "mail").send(letter())
