"""The server's close codes. docs/realtime.md describes how a client reacts to each."""

from __future__ import annotations

TOO_LARGE = 1009


RESTARTING = 1012


MALFORMED = 4400


NOT_AUTHENTICATED = 4401


REFUSED = 4403


TOO_SLOW = 4408


TOO_MANY = 4429
