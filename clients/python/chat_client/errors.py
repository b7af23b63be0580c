"""The errors of the client.

ChatError
├── Unreachable          no response in time: the outcome of the request is unknown
│   └── OutcomeUnknown   the same for a message; sending it again with its `client_id` settles it
├── Refused              the server rejected the request and gave the reason
│   └── Throttled        too many requests; says how long to wait. Nothing was stored
├── LoginEnded           the login has ended, and there is no password to log in again
└── Closed               the client was used after its `async with`
"""

from __future__ import annotations

from typing import Any, Final

AGAIN: Final = frozenset({"unavailable", "database_unavailable", "busy", "overloaded", "internal", "outcome_unknown"})
"""Codes after which the same request may succeed."""

LOGIN: Final = frozenset({"not_authenticated", "invalid_token", "login_ended"})
"""Codes that require a new access token."""


class ChatError(Exception):
    """The base class of all errors here."""


class Unreachable(ChatError):
    """The server did not respond."""


class OutcomeUnknown(Unreachable):
    """A send got no response before its deadline: the message may or may not be stored."""

    def __init__(self, client_id: str) -> None:
        super().__init__(f"the outcome of {client_id} is unknown: send it again with this client_id")
        self.client_id = client_id


class Refused(ChatError):
    """`status` is the HTTP status, 0 for a socket response. `code` is stable, `detail` a sentence for people.

    `errors` lists invalid fields: [{"field": …, "message": …}]. `retry_after` is in seconds, 0 if none was given.
    """

    def __init__(self, code: str, detail: str, *, status: int = 0, errors: list[Any] | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = status
        self.errors = errors or []
        self.retry_after = 0.0


class Throttled(Refused):
    """`policy` names the throttle, if the server sent it; otherwise it is `requests`."""

    def __init__(self, policy: str, retry_after: float, *, status: int = 0) -> None:
        super().__init__("throttled", f"wait {retry_after:g} s ({policy})", status=status)
        self.policy = policy
        self.retry_after = retry_after


class LoginEnded(ChatError):
    """The login has ended: log in again."""


class Closed(ChatError):
    """The client was used after its `async with` had ended."""
