"""All errors, as one small tree with stable codes.

    ChatError
    ├── Invalid            the request is not valid                        (may name fields)
    ├── Unauthenticated    the caller is not known
    ├── Forbidden          known, but not allowed
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
    detail = "Something is wrong."

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
    detail = "You may not do this."


class NotFound(ChatError):
    code = "not_found"
    detail = "There is no such thing."


NOWHERE = "There is nothing at this path."
"""The sentence for a path that does not exist, or must not exist for this caller."""


class Conflict(ChatError):
    code = "conflict"
    detail = "The present state does not allow this."


class Unprocessable(ChatError):
    code = "idempotency_mismatch"
    detail = "This client_id was first used with another body."


class Throttled(ChatError):
    """`policy` names the throttle: `limit` per `window` (s). `retry_after` is in whole seconds, at least 1.

    `hint` is appended to the sentence: an alternative to waiting.
    """

    code = "throttled"
    detail = "Too many requests: wait a little."

    def __init__(self, policy: str, retry_after: int, *, limit: int = 0, window: int = 0, hint: str = "") -> None:
        super().__init__(detail=f"Too many requests for the policy '{policy}': wait {retry_after} s.{hint}")
        self.policy = policy
        self.retry_after = retry_after
        self.limit = limit
        self.window = window


class Unavailable(ChatError):
    code = "unavailable"
    detail = "Something this needs is away for the moment: try again."


class OutcomeUnknown(Unavailable):
    code = "outcome_unknown"
    detail = (
        "The database did not confirm this: it may be stored or not. Try again with the same client_id to learn which."
    )
