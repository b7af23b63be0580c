"""Domains of e-mail addresses, in the form for people and the form for servers: IDNA 2008 (RFC 5891), UTS 46 without
its transitional mappings.

Python's own codec is IDNA 2003: it turns `faß.example` into `fass.example`, another domain, whose owner would receive
the tokens of accounts at the first. Here a conversion never changes the name: a label that differs from its mapping by
more than case is refused.
"""

from __future__ import annotations

import re
from typing import Final

import idna

LONGEST: Final = 253
"""Characters of a domain in ASCII, without the trailing dot (RFC 1035, 2.3.4)."""

_ASCII_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_ACE_PREFIX: Final = "xn--"


def to_ascii(domain: str) -> str:
    """Converts `domain` to the form for servers: `xn--fa-hia.example` for `faß.example`. ASCII labels are unchanged.

    Raises:
        UnicodeError: a label is not valid in IDNA 2008, or would become another name.
    """
    if len(domain) > LONGEST:
        raise UnicodeError("the domain is too long")
    converted = ".".join(_label_to_ascii(label) for label in domain.split("."))
    if len(converted) > LONGEST:
        raise UnicodeError("the domain is too long in ASCII")
    return converted


def to_unicode(domain: str) -> str:
    """Converts `domain` to the form for people: `faß.example` for `xn--fa-hia.example`. Raises as `to_ascii`."""
    return ".".join(
        idna.ulabel(label) if label.startswith(_ACE_PREFIX) else label for label in to_ascii(domain).split(".")
    )


def _label_to_ascii(label: str) -> str:
    if not label.isascii():
        mapped = idna.uts46_remap(label, std3_rules=True)
        if mapped != label.lower() or mapped.isascii() or "." in mapped:
            raise UnicodeError("the label would become another one")
        return idna.alabel(mapped).decode("ascii")
    if not _ASCII_LABEL.fullmatch(label):
        raise UnicodeError("not a label of a domain")
    if not label.lower().startswith(_ACE_PREFIX):
        return label
    label = label.lower()
    if idna.alabel(idna.ulabel(label)).decode("ascii") != label:
        raise UnicodeError("the label has another spelling")
    return label
