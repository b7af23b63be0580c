"""The codes with which the server closes a socket; docs/realtime.md says what each asks of the client."""

from __future__ import annotations

TOO_LARGE = 1009


RESTARTING = 1012


MALFORMED = 4400


NOT_AUTHENTICATED = 4401


REFUSED = 4403


TOO_SLOW = 4408


TOO_MANY = 4429
