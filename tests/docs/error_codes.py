"""The tables of error codes: statuses and sentences from the program, and for each code what a client should do."""

from __future__ import annotations

from collections.abc import Iterator

from app.api.errors import codes
from app.api.errors.codes import HttpError, http_error
from app.domain.error_catalogue import CATALOGUE

CODES_OF_FRAMES = codes.ON_SOCKETS
HEAD = ["| code | meaning | what to do |", "|---|---|---|"]

WHAT_TO_DO = {
    "account_closed": "Show it; a closed account cannot be restored.",
    "admins_only": "Hide the action from members who are not admins.",
    "already_admin": "Treat it as done.",
    "already_canceled": "Treat it as done.",
    "already_member": "Treat it as done.",
    "already_suspended": "Treat it as done.",
    "another_login": "Open another socket with this token.",
    "broker_unavailable": "Try again after `Retry-After`. Operators: start Redis.",
    "busy": "Try again after `Retry-After`.",
    "common_password": "Ask for another password.",
    "conversation_full": "Show it.",
    "creator": "Hide the action; the creator can leave, and the role passes on.",
    "creator_only": "Hide the action; leaving is possible.",
    "database_unavailable": "Try again after `Retry-After`, with growing delays.",
    "deleted": "Show the message as deleted.",
    "direct": "Hide the action in direct conversations.",
    "email_taken": "Offer to log in, or to reset the password.",
    "forbidden": "Do not repeat it.",
    "foreign_origin": "Add the page's origin to `ALLOWED_ORIGINS`.",
    "group": "Offer to leave the group instead.",
    "head_too_large": "Send fewer and shorter headers.",
    "idempotency_mismatch": "Use a new `client_id` for each message.",
    "internal": "Try again once, later. Operators: the log has the error under the `X-Request-ID`.",
    "invalid": "Show each sentence of `errors` beside its field.",
    "invalid_code": "Ask for the current code.",
    "invalid_credentials": "Let the user correct them.",
    "invalid_cursor": "Start the list again without `cursor`.",
    "invalid_invite": "Show it; only an operator can create another invite.",
    "invalid_limit": "Send a `limit` within the range.",
    "invalid_mailed_token": "Offer to send another mail.",
    "invalid_message": "Show the sentences of `errors`.",
    "invalid_page": "Correct the query.",
    "invalid_seq": "Send the `seq` of an existing message.",
    "invalid_ticket": "Get another ticket. Only the log shows this code: a client sees its socket closed with 4401.",
    "invalid_token": "Refresh the token; if that is 401 too, log in.",
    "invite_required": "Ask for the link of an invite, and repeat it with `invite`.",
    "login_ended": "Log in again: refreshing the token is 401, too.",
    "malformed": "Correct the client: the body is not valid JSON, or the request not valid HTTP.",
    "method_not_allowed": "Use one of the methods in `Allow`.",
    "not_a_member": "Remove the conversation from the list, or offer to join a public one.",
    "not_activated": "Offer to send the activation mail again.",
    "not_addable": "Let the other user start the conversation.",
    "not_an_admin": "Treat it as done.",
    "not_authenticated": "Send `Authorization: Bearer <access>`; without a token, log in.",
    "not_found": "Remove it from the view; it may never have existed for this user.",
    "not_repeatable": "Deploy the version that has this task.",
    "not_suspended": "Treat it as done.",
    "not_the_sender": "Hide the action on messages of others.",
    "outcome_unknown": "Send it again with the same `client_id`: the answer tells whether it was stored.",
    "overloaded": "Try again after `Retry-After`, with growing delays. Operators: add a process.",
    "own_account": "Let another operator do it.",
    "personal_password": "Ask for another password.",
    "registration_closed": "Hide the registration; offer to log in.",
    "request_timeout": "Send the request again.",
    "reset": "Load the conversation again and take its `position`.",
    "search_busy": "Try again after `Retry-After`, or with more letters.",
    "second_factor_needed": "Set up a second factor.",
    "second_factor_off": "Show the current state.",
    "second_factor_on": "Show the current state.",
    "second_factor_required": "Ask for a code and repeat the login with `code`.",
    "suspended": "Show it; only an operator can restore the account.",
    "throttled": "Wait for `Retry-After` seconds. On login under a policy `guesses…`, ask for the mailed code.",
    "token_reused": "Log in again. Another party may hold the token: check the list of logins.",
    "too_large": "Send a body of at most 256 KiB.",
    "too_many_broadcasts": "Cancel some, or wait until they are sent.",
    "too_many_connections": "Close connections; use one socket per client.",
    "too_many_conversations": "Leave some conversations.",
    "too_many_invites": "Revoke some, or wait until they expire.",
    "too_many_exceptions": "Remove exceptions, or change the policy.",
    "too_many_resumes": "Wait for `caught_up` before the next `resume`.",
    "trace_needs_conversation": "Name the conversation of the message too.",
    "unavailable": "Try again after `Retry-After`, with growing delays.",
    "unknown_conversation": "Send the id of an existing conversation.",
    "unknown_host": "Use the address in `PUBLIC_URL`, or add the name to `ALLOWED_HOSTS`.",
    "unknown_policy": "Use a name from the list of policies.",
    "unknown_transfer_coding": "Send `Content-Length`, or chunks.",
    "unknown_user": "Search for the user again; the account may be closed.",
    "unplugged": "Wait until the part is back.",
    "unsupported_media_type": "Send JSON, uncompressed, with `Content-Type: application/json`.",
    "upgrade_required": "Open the path with a WebSocket client.",
    "url_too_long": "Send a shorter URL.",
    "wrong_code": "Ask for the current code.",
    "wrong_password": "Let the user correct it.",
    "yourself": "Choose another user.",
}


def declared() -> list[HttpError]:
    """Every error of the program, with its status, in order of declaration."""
    own = [error for error in vars(codes).values() if isinstance(error, HttpError)]
    return own + [http_error(entry) for entry in CATALOGUE.values()]


def sentences() -> dict[tuple[int, str], list[str]]:
    """The different sentences of each (status, code). Errors that only frames carry have the status 0."""
    found: dict[tuple[int, str], list[str]] = {}
    for status, code, detail in declared():
        of_code = found.setdefault((0 if code in CODES_OF_FRAMES else status, code), [])
        if detail not in of_code:
            of_code.append(detail)
    return found


def tables() -> str:
    """Markdown: a section for each status."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    rows = sentences()
    statuses = sorted({status for status, _ in rows} - {0})
    for status in [*statuses, 0]:
        yield f"## Status {status}" if status else "## Only on sockets"
        yield ""
        yield from HEAD
        for of_status, code in sorted(rows):
            if of_status == status:
                yield f"| `{code}` | {_meaning(rows[of_status, code])} | {WHAT_TO_DO[code]} |"
        yield ""


def _meaning(details: list[str]) -> str:
    return " · ".join(detail.replace("|", "\\|") for detail in details)
