"""What becomes a header stays the value of that header, whatever strangers and operators wrote: read back off the wire.

The attack (CVE-2024-6923): Python's email package decodes `=?utf-8?q?x=0aBcc:_...?=` where a header is set, and some
of its releases write the line break into the header. So names are tried as well as addresses, in every letter.
"""

from __future__ import annotations

import re
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import compat32, default
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.accounts.account_mail import MailContent
from app.domain.users.idna_domains import to_ascii
from app.tasks.letters import headers, templates
from app.tasks.letters.renderer import MailRenderer
from app.tasks.mail_transport import MailObject, PermanentFailure

URL = "https://chat.example.org"
ATTACK = "=?utf-8?q?x=0aFrom:_Bank_<ceo@bank.example>=0aSubject:_Pay_now=0a=0aWire_to_evil.example_now?="
LETTERS = templates.letters()
RENDERER = MailRenderer(URL, "chat@example.org")
MIME = ["MIME-Version", "Content-Type"]
FIELDS = ["Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted"]
OF_LISTS = ["List-Unsubscribe", "List-Unsubscribe-Post"]

WORDS = ["=?utf-8?q?", "=?utf-8?b?", "=?iso-8859-1?q?", "?=", "=0a", "=0d=0a", "=?", ATTACK, "x" * 80, "é", "🦊"]
BREAKS = ["\r\n", "\n", "\r", "\r\n\r\n", "\x00", "\x85", "\u2028", "\u202e", "\ud800", " ", "  ", "\t"]
SIGNS = [*"\"<>,;:&\\'()=", "Bcc: eve@evil.example", "https://evil.example/login"]
pieces = st.sampled_from([*WORDS, *BREAKS, *SIGNS])
hostile = st.lists(pieces | st.text(max_size=12), max_size=12).map("".join)


def facts_of(name: str, words: str) -> dict[str, Any]:
    """Everything that any letter says, in a stranger's words."""
    return {
        "first_name": name,
        "name": name,
        "title": name,
        "paragraphs": [words, name],
        "lines": [{"who": name, "text": words, "type": "image"}],
        "more": True,
        "network": "203.0.113.9",
        "program": words,
        "user_agent": words,
    }


def storable(text: str) -> str:
    """Without what Postgres cannot keep, and no field lets through."""
    return re.sub("[\x00\ud800-\udfff]", "", text)


def printed(text: str) -> str:
    """What a header keeps of a text."""
    return " ".join(headers._UNPRINTABLE.sub(" ", text).split())


def fields_of(mail: MailObject) -> list[tuple[str, str]]:
    """The header's fields by the letter of RFC 5322: lines that end with CR LF, continued by those that begin blank."""
    head, _, _ = mail.content.partition(b"\r\n\r\n")
    assert re.search(rb"(?<!\r)\n|\r(?!\n)|\x00", mail.content) is None
    assert max(len(line) for line in mail.content.split(b"\r\n")) <= 998
    assert mail.needs_smtputf8 or head.isascii()
    unfolded = re.sub(r"\r\n(?=[ \t])", "", head.decode())
    return [(name, value) for name, _, value in (line.partition(": ") for line in unfolded.split("\r\n"))]


def read_back(mail: MailObject, expected: dict[str, str], template: str) -> EmailMessage:
    """The mail as a client reads it, once its header is exactly what was meant."""
    names = FIELDS + (OF_LISTS if template == "unread" else [])
    fields = fields_of(mail)
    assert [name for name, _ in fields[: len(names)]] == names
    assert sorted(name for name, _ in fields[len(names) :]) == sorted(MIME)
    old = message_from_bytes(mail.content, policy=compat32)
    new = message_from_bytes(mail.content, policy=default)
    assert isinstance(new, EmailMessage)
    for message in (old, new):
        assert sorted(message.keys()) == sorted(names + MIME)
        assert not message.defects
    for name, value in expected.items():
        assert str(make_header(decode_header(dict(fields)[name]))) == value or not mail.content.isascii()
        assert str(new[name]) == value
    assert [part.get_content_type() for part in new.iter_parts()] == ["text/plain", "text/html"]
    return new


@pytest.mark.parametrize("template", LETTERS)
@settings(max_examples=25, deadline=None)
@given(name=hostile.map(storable), words=hostile.map(storable))
def test_no_name_or_text_adds_a_header_to_any_letter(template: str, name: str, words: str) -> None:
    letter = MailContent(template=template, address="ada@example.org", token="t" * 64, facts=facts_of(name, words))
    mail = RENDERER.write(letter, uuid4())
    expected = {"From": "Chat <chat@example.org>", "To": "ada@example.org", "Auto-Submitted": "auto-generated"}
    if template == "unread":
        expected["Subject"] = printed(f"Unread in {name} (Chat)" if name else "Unread messages (Chat)")
    elif template == "broadcast":
        expected["Subject"] = printed(name)
    read_back(mail, expected, template)


@settings(max_examples=100, deadline=None)
@given(name=hostile)
def test_a_text_in_a_header_is_read_back_unchanged(name: str) -> None:
    head = headers.head([("Subject", headers.text(name)), ("To", "ada@example.org")])
    message = message_from_bytes(head + b"\r\n", policy=default)
    assert message.keys() == ["Subject", "To"]
    assert message["Subject"] == printed(name)
    assert all(len(line) <= headers.LINE for line in head.split(b"\r\n"))


@settings(max_examples=100, deadline=None)
@given(name=hostile.filter(lambda name: not set("<>") & set(name)))
def test_a_senders_name_is_never_read_as_an_address(name: str) -> None:
    value = headers.mailbox(f"{name} <chat@example.org>")
    message = message_from_bytes(headers.head([("From", value)]) + b"\r\n", policy=default)
    [sender] = message["From"].addresses
    assert message.keys() == ["From"]
    assert sender.addr_spec == "chat@example.org"
    phrase = value.rpartition("<")[0].strip()
    assert str(make_header(decode_header(phrase))) == printed(headers._unquoted(name.strip()))


@settings(max_examples=100, deadline=None)
@given(
    local=hostile | st.from_regex(r"\A[a-z=?_.+ü]{1,20}\Z"),
    domain=st.sampled_from(["example.org", "faß.example", "b=?.example", "a b.example"]) | hostile,
)
def test_an_address_is_exactly_one_recipient_or_refused(local: str, domain: str) -> None:
    letter = MailContent(template="welcome", address=f"{local}@{domain}", facts=facts_of("Ada", ""))
    try:
        mail = RENDERER.write(letter, uuid4())
    except PermanentFailure:
        return
    local, _, domain = letter.address.rpartition("@")
    assert mail.recipient == f"{local}@{to_ascii(domain)}"
    fields = fields_of(mail)
    assert [value for name, value in fields if name == "To"] == [mail.recipient]
    assert len(fields) == len(FIELDS + MIME)


def test_the_header_injection_that_was_found_is_plain_subject_text() -> None:
    letter = MailContent(template="unread", address="ada@example.org", token="t", facts=facts_of(ATTACK, "hello"))
    mail = RENDERER.write(letter, uuid4())
    message = read_back(mail, {"From": "Chat <chat@example.org>", "Subject": f"Unread in {ATTACK} (Chat)"}, "unread")
    assert "Wire to evil" not in mail.content.decode()
    assert message.get_all("From") == ["Chat <chat@example.org>"]


def test_the_unsubscribe_link_is_one_line_without_encoded_words() -> None:
    """Mail programs read it by RFC 2369 and RFC 8058: angle brackets, no folding inside, no encoding."""
    token = "A-_" * 21 + "="
    letter = MailContent(template="unread", address="ada@example.org", token=token, facts=facts_of("Engines", "hello"))
    lines = RENDERER.write(letter, uuid4()).content.split(b"\r\n")
    link = f"List-Unsubscribe: <{URL}/api/v1/unsubscribe/one-click?token={token}>".encode()
    assert [line for line in lines if line.startswith(b"List-")] == [
        link,
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    ]


@pytest.mark.parametrize(
    "value", ["a\r\nBcc: eve@evil.example", "a\r\n\r\nb", "a\nb", "a\rb", "a\r\n \r\nb", "\x00", "\ud800", "a\r\n"]
)
def test_a_header_value_with_line_breaks_is_refused(value: str) -> None:
    with pytest.raises((PermanentFailure, UnicodeEncodeError)):
        headers.head([("X-Test", value)])


def test_a_header_field_cannot_be_repeated() -> None:
    with pytest.raises(PermanentFailure):
        headers.head([("To", "a@example.org"), ("to", "b@example.org")])


@pytest.mark.parametrize("name", ["R&D", "<b>bold</b>", "\"quoted\" & 'so'"])
def test_the_title_of_the_html_form_is_escaped_once(name: str) -> None:
    letter = MailContent(template="unread", address="ada@example.org", token="t", facts=facts_of(name, "hello"))
    mail = RENDERER.write(letter, uuid4())
    message = read_back(mail, {"Subject": f"Unread in {name} (Chat)"}, "unread")
    html = message.get_body(("html",))
    assert html is not None
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert f"<title>Unread in {escaped} (Chat)</title>" in html.get_content()
