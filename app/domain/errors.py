"""The kinds of errors, as one small tree. `app.domain.error_catalogue` declares each error of a kind.

    ChatError
    ├── Invalid            the request is not valid                        (may name fields)
    ├── Unauthenticated    the caller is not known
    ├── Forbidden          the caller is known, but not allowed
    ├── NotFound           does not exist, or its existence must not be revealed
    ├── Conflict           the current state does not allow it
    ├── Unprocessable      an idempotency key was used again with another body
    ├── Throttled          too many requests; names the policy and the time to wait
    └── Unavailable        a dependency is unavailable; a retry may succeed
        └── OutcomeUnknown connection or deadline lost during COMMIT: a retry with the same key reveals the outcome

No HTTP status here: `app.api.errors.problems` maps the tree once; `app.realtime` sends the codes as `error` frames.
"""

from __future__ import annotations


class ChatError(Exception):
    """The root. `code` is stable and for programs; `detail` is a sentence for people."""

    code = "error"
    detail = "Something went wrong."

    def __init__(self, code: str | None = None, detail: str | None = None) -> None:
        self.code = code or type(self).code
        self.detail = detail or type(self).detail
        super().__init__(f"{self.code}: {self.detail}")


class Invalid(ChatError):
    """`errors` names the invalid fields as (field, message) pairs."""

    code = "invalid"
    detail = "The request is not valid."

    def __init__(
        self,
        code: str | None = None,
        detail: str | None = None,
        errors: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(code, detail)
        self.errors = errors


class Unauthenticated(ChatError):
    code = "not_authenticated"
    detail = "Log in first."


class Forbidden(ChatError):
    code = "forbidden"
    detail = "You are not allowed to do this."


class NotFound(ChatError):
    code = "not_found"
    detail = "There is no such thing."


class Conflict(ChatError):
    code = "conflict"
    detail = "The current state does not allow this."


class Unprocessable(ChatError):
    code = "idempotency_mismatch"
    detail = "This client_id was already used with a different body."


class Throttled(ChatError):
    """`policy` names the throttle: `limit` per `window` (s). `retry_after` is in whole seconds, at least 1.

    `hint` is appended to the sentence: an alternative to waiting.
    """

    code = "throttled"

    def __init__(self, policy: str, retry_after: int, *, limit: int = 0, window: int = 0, hint: str = "") -> None:
        super().__init__(detail=f"Too many requests under the policy '{policy}'. Try again in {retry_after} s.{hint}")
        self.policy = policy
        self.retry_after = retry_after
        self.limit = limit
        self.window = window


class Unavailable(ChatError):
    code = "unavailable"
    detail = "A service this request depends on is unavailable. Try again."


class OutcomeUnknown(Unavailable):
    code = "outcome_unknown"
    detail = (
        "The database did not confirm the change, so it may or may not be stored."
        " Try again with the same client_id to find out."
    )
