"""Everything that can be wrong, as one small tree with stable codes.

    ChatError
    ├── Invalid            the request makes no sense                      (fields may be named)
    ├── Unauthenticated    nobody is known to be asking
    ├── Forbidden          known, but not allowed
    ├── NotFound           does not exist, or must not be known to exist
    ├── Conflict           the present state forbids it
    ├── Mismatch           an idempotency key came back with another body
    ├── Throttled          too often; says which policy and how long to wait
    └── Unavailable        a dependency is away; trying again may help
        └── OutcomeUnknown the connection or the time was lost during COMMIT: a retry with the same key settles it

No HTTP status lives here: `app.api.errors.problems` maps the tree once, `app.realtime` sends codes as `error` frames.
"""

from __future__ import annotations


class ChatError(Exception):
    """The root. `code` is stable and for programs, `detail` is a sentence for people."""

    code = "error"
    detail = "Something is wrong."

    def __init__(self, code: str | None = None, detail: str | None = None) -> None:
        self.code = code or type(self).code
        self.detail = detail or type(self).detail
        super().__init__(f"{self.code}: {self.detail}")


class Invalid(ChatError):
    """`errors` names the fields at fault as (field, message) pairs."""

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
"""The words for a path that does not exist, or not for who asks."""


class Conflict(ChatError):
    code = "conflict"
    detail = "The present state does not allow this."


class Unprocessable(ChatError):
    code = "idempotency_mismatch"
    detail = "This client_id was first used with another body."


class Throttled(ChatError):
    """`policy` names the throttle: `limit` per `window` (s). `retry_after` is in whole seconds, at least 1.

    `hint` follows the sentence: another way than waiting.
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
