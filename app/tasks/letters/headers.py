"""Writes the header fields of mails, instead of the `email` package.

That package decodes the encoded words (RFC 2047) in a value, and several Python releases then write a decoded line
break into the header: a group's name could add header fields of an attacker's choice (CVE-2024-6923). Here a value is
either plain or encoded as a whole, so that decoding it once returns exactly the text. A value with a line break or
another control character is not sent.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Final

from app.domain.users.idna_domains import to_ascii
from app.tasks.mail_transport import PermanentFailure

LINE: Final = 76
"""Maximum length of a line with encoded words (RFC 2047, 2), applied to all other lines too."""

_WORD_BYTES: Final = 39
"""Bytes per encoded word before base64, so that the first one fits into its line with the field's name."""

_PLAIN: Final = re.compile(r"[!-~]{1,60}(?: [!-~]{1,60})*")
_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,60}(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,60})*")
_LOCAL: Final = re.compile(r"""[^\s@<>()\[\],;:\\"]{1,64}""")
_MAILBOX: Final = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>")
_URL: Final = re.compile(r"https?://[!-;=?-~]+")  # an angle bracket would end it early
# Control characters, line and paragraph separators, lone surrogates and bidirectional controls.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


_QUOTED: Final = re.compile(r"\\(.)")


def text(value: str) -> str:
    """Returns `value` folded for an unstructured field such as Subject. Unprintable characters become spaces."""
    value = " ".join(_UNPRINTABLE.sub(" ", value).split())
    if not value or (_PLAIN.fullmatch(value) and "=?" not in value):
        return _folded(value)
    return "\r\n ".join(_encoded_words(value))


def mailbox(value: str) -> str:
    """Formats `Chat <chat@example.org>` or `chat@example.org` for From and To: encoded name, ASCII domain.

    Raises:
        PermanentFailure: the address is not allowed in a header.
    """
    shape = _MAILBOX.fullmatch(value.strip())
    if shape is None:
        return address(value.strip())
    name = " ".join(_UNPRINTABLE.sub(" ", _unquoted(shape["name"].strip())).split())
    angle = f"<{address(shape['address'])}>"
    if not name:
        return angle
    plain = _ATOMS.fullmatch(name) and "=?" not in name
    phrase = _folded(name) if plain else "\r\n ".join(_encoded_words(name))
    return f"{phrase}\r\n {angle}" if len(phrase) + len(angle) > LINE - len("From:  ") else f"{phrase} {angle}"


def address(value: str) -> str:
    """Returns an address with its domain in ASCII. A local part that is not ASCII stays as it is (needs SMTPUTF8).

    Raises:
        PermanentFailure: it is not allowed in a header, or its domain has no ASCII form.
    """
    local, _, domain = value.rpartition("@")
    # A client that decodes an encoded word here would see another address, and none is allowed here.
    if not _LOCAL.fullmatch(local) or not local.isprintable() or "=?" in value:
        raise PermanentFailure("this is not an address that can be written to")
    try:
        return f"{local}@{to_ascii(domain)}"
    except UnicodeError as error:
        raise PermanentFailure("this domain cannot be written in ASCII") from error


def url(value: str) -> str:
    """Formats a URL for a List field: one line, no encoded words (RFC 2369). Raises PermanentFailure."""
    if not _URL.fullmatch(value):
        raise PermanentFailure("this link cannot stand in a header")
    return f"<{value}>"


def head(fields: list[tuple[str, str]]) -> bytes:
    """Returns these fields as header lines.

    Raises:
        PermanentFailure: a name occurs twice, or a value has unfolded line breaks or control characters.
    """
    if len({name.lower() for name, _ in fields}) < len(fields):
        raise PermanentFailure("a header field twice")
    lines = "\r\n".join(f"{name}: {value}" for name, value in fields).split("\r\n")
    begun = [line for line in lines if not line.startswith(" ")]
    if len(begun) != len(fields) or not all(line.isprintable() and line.strip() for line in lines):
        raise PermanentFailure("a header field with lines of its own")
    return "".join(f"{line}\r\n" for line in lines).encode()


def _encoded_words(value: str) -> Iterator[str]:
    """Encodes `value` in base64, split between characters so that each word decodes to valid text."""
    piece = b""
    for one in value:
        encoded = one.encode()
        if len(piece) + len(encoded) > _WORD_BYTES:
            yield _encoded_word(piece)
            piece = b""
        piece += encoded
    yield _encoded_word(piece)


def _encoded_word(piece: bytes) -> str:
    return f"=?utf-8?b?{base64.b64encode(piece).decode()}?="


def _folded(value: str) -> str:
    lines = [""]
    for word in value.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) + 1 > LINE - len("Subject: "):
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return "\r\n ".join(lines)


def _unquoted(name: str) -> str:
    if len(name) >= 2 and name[0] == name[-1] == '"':
        return _QUOTED.sub(r"\1", name[1:-1])
    return name
