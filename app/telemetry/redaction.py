"""Removes from text what must not be stored: credentials, and the values of failed SQL statements.

It is applied to whole log and Sentry events as they leave the process, so no caller has to remember it. It guards
against accidents. A field with a secret name is hidden whatever its value.

Clients control much of the text in a log, so every rule runs in linear time; `tests/system/test_linear_time.py` runs
each on its worst case.
"""

from __future__ import annotations

import re
from typing import Any, Final

HIDDEN: Final = "[hidden]"
LONGEST: Final = 20_000
"""Maximum number of characters kept. Tracebacks are shorter; longer text was written by a client."""

SECRET_NAMES: Final = frozenset(
    {
        "access",
        "api_key",
        "authorization",
        "bearer",
        "client_secret",
        "cookie",
        "current_password",
        "new_password",
        "passwd",
        "password",
        "refresh",
        "secret",
        "secret_key",
        "sec-websocket-protocol",
        "set-cookie",
        "ticket",
        "token",
    }
)

_NAMES: Final = "|".join(sorted((re.escape(name) for name in SECRET_NAMES), key=len, reverse=True))
_RULES: Final = [
    (re.compile(r"(?i)\b(bearer|jwt)([ .]|%20)[\w.~+/=-]{8,}"), rf"\1\2{HIDDEN}"),
    # name=value in queries and forms; "name": "value" in JSON and in dicts.
    (re.compile(rf"(?i)\b({_NAMES})=[^&\s\"'#;,)]+"), rf"\1={HIDDEN}"),
    (re.compile(rf"(?i)([\"'](?:{_NAMES})[\"']\s*:\s*b?)(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"), rf"\1'{HIDDEN}'"),
    (
        re.compile(r"(?i)\b(authorization|cookie|set-cookie|sec-websocket-protocol)(\s*:\s*)[^\r\n\"']+"),
        rf"\1\2{HIDDEN}",
    ),
    # https://name:password@host
    (re.compile(r"(://[^\s:/@]*):[^\s/@]+@"), rf"\1:{HIDDEN}@"),
    # uvicorn logs a socket's whole URL, including the query.
    (re.compile(r"(\"WebSocket [^\s?\"]*)\?[^\s\"]*"), r"\1"),
    # Values of a failed statement, as SQLAlchemy and Postgres format them: users' messages and addresses.
    (re.compile(r"\[parameters: .*", re.DOTALL), f"[parameters: {HIDDEN}]"),
    (re.compile(r"(DETAIL:|Failing row contains)[^\n]*"), rf"\1 {HIDDEN}"),
]


# Words with dots. Possessive quantifiers and a match only at a word's start: no character is read twice.
_DOTTED: Final = re.compile(r"(?<![\w-])[\w-]++(?:\.[\w-]*+)++")
_JSON: Final = "eyJ"
"""The start of a JSON object in base64, and so of the first of a signed token's three parts."""


def redacted(text: str) -> str:
    """Returns `text` without credentials, truncated to `LONGEST` characters."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}… ({len(text)} characters)"
    if _JSON in text:
        text = _DOTTED.sub(_without_token, text)
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return text


def redacted_value(value: Any, depth: int = 6) -> Any:
    """Redacts any value of a log event. Values nested deeper than `depth` are hidden."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth == 0:
        return HIDDEN
    if isinstance(value, dict):
        return {key: redacted_field(key, item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted_value(item, depth - 1) for item in value]
    return redacted(str(value))


def redacted_field(name: object, value: Any, depth: int = 6) -> Any:
    return HIDDEN if str(name).lower() in SECRET_NAMES else redacted_value(value, depth)


def _without_token(word: re.Match[str]) -> str:
    """Hides the word from `eyJ` on if at least two more parts follow."""
    before, token, rest = word[0].partition(_JSON)
    return before + HIDDEN if token and rest.count(".") >= 2 else word[0]
