"""What can go wrong, as one small tree.

ChatError
├── Unreachable      no answer in time: nobody knows what became of the request
│   └── Unsettled    a message of which that is so; sending it again with its `client_id` settles it
├── Refused          the server said no, and why
│   └── Throttled    too often; says how long to wait. Nothing was stored
└── LoginEnded       the login is over, and there is no password to make another
"""

from __future__ import annotations

from typing import Any, Final

AGAIN: Final = frozenset({"unavailable", "database_unavailable", "busy", "overloaded", "internal", "outcome_unknown"})
"""Codes after which the same request may succeed."""

LOGIN: Final = frozenset({"not_authenticated", "invalid_token", "login_ended"})
"""Codes that ask for another access token."""


class ChatError(Exception):
    """The root."""


class Unreachable(ChatError):
    """No answer."""


class Unsettled(Unreachable):
    """No answer to a send before its deadline: it may be stored, or not."""

    def __init__(self, client_id: str) -> None:
        super().__init__(f"nobody knows yet whether {client_id} is stored: send it again with this client_id")
        self.client_id = client_id


class Refused(ChatError):
    """`status` is that of HTTP, 0 for an answer of the socket. `code` is stable, `detail` a sentence for people.

    `errors` names fields: [{"field": …, "message": …}]. `retry_after` is in seconds, 0 when none was given.
    """

    def __init__(self, code: str, detail: str, *, status: int = 0, errors: list[Any] | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = status
        self.errors = errors or []
        self.retry_after = 0.0


class Throttled(Refused):
    """`policy` names the throttle, where the server told it."""

    def __init__(self, policy: str, retry_after: float, *, status: int = 0) -> None:
        super().__init__("throttled", f"wait {retry_after:g} s ({policy})", status=status)
        self.policy = policy
        self.retry_after = retry_after


class LoginEnded(ChatError):
    """Log in anew."""


class Closed(ChatError):
    """The `async with` is over."""
