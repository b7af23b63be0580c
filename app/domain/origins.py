"""Origins and host names in the form that browsers send: lower case, `xn--` for other letters, no default port.

Settings are parsed with these functions, and client headers are compared with the result, for REST and sockets alike. A
pattern that could never match raises ValueError with a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import urlsplit

import idna

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
ANY: Final = "*"
_LABELS: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?")
_PORT: Final = re.compile(r":\d{0,5}\Z")


def host_pattern(text: str) -> str:
    """Parses a name of ALLOWED_HOSTS: `chat.example.org`, `*.example.org` (below it), `.example.org` (both), `*`,
    `::1`.

    Raises:
        ValueError: it includes a scheme, port or path, or is not a host name.
    """
    text = text.strip()
    if text == ANY:
        return text
    for mark in ("*.", "."):
        if text.startswith(mark):
            return mark + _name(text.removeprefix(mark))
    return _name(text)


def origin_pattern(text: str) -> str:
    """Parses an origin of ALLOWED_ORIGINS: `https://chat.example.org`, `https://*.example.org`.

    Raises:
        ValueError: it is not an origin, or includes more than scheme, host and port.
    """
    parts = urlsplit(text.strip())
    try:
        port = parts.port
    except ValueError:
        raise ValueError("the port is no number from 0 to 65535") from None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError("write it as https://chat.example.org, or http://localhost:5173 in development")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc or text.endswith(("?", "#")):
        raise ValueError("write scheme, host and port only, without a path, as in https://chat.example.org")
    below = "*." if parts.hostname.startswith("*.") else ""
    name = _name(parts.hostname.removeprefix("*."))
    name = f"[{name}]" if ":" in name else name
    shown = "" if port is None or port == DEFAULT_PORTS[parts.scheme] else f":{port}"
    return f"{parts.scheme}://{below}{name}{shown}"


def site_url(text: str) -> str:
    """Parses the address of a front end, `https://example.org/chat`. Returns it without a slash at the end.

    Raises:
        ValueError: it is not an address, or includes more than scheme, host, port and path.
    """
    parts = urlsplit(text.strip())
    origin = origin_pattern(parts._replace(path="").geturl())
    if "*" in origin or not _PATH.fullmatch(parts.path):
        raise ValueError("write one address, as in https://example.org/chat")
    return origin + parts.path.rstrip("/")


class Hosts:
    """The names of ALLOWED_HOSTS. `patterns` are results of `host_pattern`."""

    def __init__(self, patterns: Iterable[str]) -> None:
        patterns = tuple(patterns)
        self._any = ANY in patterns
        self._names = frozenset(pattern.removeprefix(".") for pattern in patterns if not pattern.startswith("*"))
        self._below = tuple(pattern.removeprefix("*") for pattern in patterns if pattern.startswith(("*.", ".")))

    def allows(self, header: str) -> bool:
        """Returns whether a `Host` header names an allowed host, on any port."""
        if self._any:
            return True
        name = _PORT.sub("", header.strip()).rstrip(".").lower()
        if name.startswith("["):
            name = _address(name.strip("[]")) or ""
        return name in self._names or bool(self._below and name.endswith(self._below))


class Origins:
    """The origins of ALLOWED_ORIGINS. `patterns` are results of `origin_pattern`."""

    def __init__(self, patterns: Collection[str]) -> None:
        self._exact = frozenset(pattern for pattern in patterns if "://*." not in pattern)
        self._below = tuple(pattern.split("*", 1) for pattern in patterns if "://*." in pattern)

    def allows(self, header: str) -> bool:
        """Returns whether an `Origin` header is allowed."""
        return (
            header in self._exact
            or any(
                header.startswith(scheme)
                and header.endswith(rest)
                and len(header) > len(scheme) + len(rest)
                # Only a name may precede: no user, no port, no path.
                and _LABELS.fullmatch(header[len(scheme) : -len(rest)])
                for scheme, rest in self._below
            )
        )


def _name(text: str) -> str:
    bare = text.strip("[]")
    if address := _address(bare):
        return address
    if "://" in text or "/" in text or ":" in text or "@" in text:
        raise ValueError("write the name only, without scheme, port or path, as in chat.example.org")
    name = _ascii(text.removesuffix(".").lower())
    if len(name) > 253 or not _LABELS.fullmatch(name):
        raise ValueError("this is no host name")
    return name


def _ascii(name: str) -> str:
    """Encodes a name as browsers do: IDNA 2008 after UTS 46, which keeps ß as a letter of its own."""
    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise ValueError("this is no host name") from None


def _address(text: str) -> str | None:
    try:
        return str(IPv6Address(text))
    except ValueError:
        return None
