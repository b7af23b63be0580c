"""Every error the chat can report: its kind, its stable code and its sentence. `raise already_member()` raises one.

A code belongs to programs and never changes; a sentence belongs to people and may. Several entries may share a code
where people need different sentences. No other module constructs an error of the tree, except `Throttled`, which
carries its policy. `app.api.errors.codes` derives the documented codes from here.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from app.domain.errors import (
    ChatError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    OutcomeUnknown,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)
from app.domain.size_limits import (
    MAX_CONVERSATIONS,
    MAX_MEMBERS,
    MAX_OPEN_INVITES,
    MAX_PAGE_SIZE,
    MAX_SCHEDULED_BROADCASTS,
    MAX_THROTTLE_EXCEPTIONS,
)

Kind = TypeVar("Kind", bound=ChatError, covariant=True)


class ErrorEntry(Generic[Kind]):
    """Declares one error; calling the entry constructs it. Without a code and sentence it has those of its kind."""

    def __init__(self, kind: type[Kind], code: str | None = None, detail: str | None = None) -> None:
        self.kind: Final = kind
        self.code: Final = code or kind.code
        self.detail: Final = detail or kind.detail

    def __call__(self) -> Kind:
        return self.kind(self.code, self.detail)


class InvalidEntry(ErrorEntry[Invalid]):
    """`errors` are the (field, message) pairs of an error that always concerns the same fields."""

    def __init__(self, code: str, detail: str, *errors: tuple[str, str]) -> None:
        super().__init__(Invalid, code, detail)
        self._errors = errors

    def __call__(self, *errors: tuple[str, str]) -> Invalid:
        return Invalid(self.code, self.detail, errors or self._errors)


# Any request
invalid = InvalidEntry(Invalid.code, Invalid.detail)
invalid_cursor = InvalidEntry(
    "invalid_cursor", "This cursor does not belong to this list.", ("cursor", "Must be the value of `next`, unchanged.")
)
# Also the answer of paths that exist only for operators.
path_not_found = ErrorEntry(NotFound, "not_found", "There is nothing at this path.")

# The server and what it depends on
internal = ErrorEntry(
    ChatError, "internal", "The server failed to process this and logged the error. A retry may or may not succeed."
)
unavailable = ErrorEntry(Unavailable)
overloaded = ErrorEntry(Unavailable, "overloaded", "The server is overloaded. Try again.")
# The request timed out behind others; nothing is stored.
busy = ErrorEntry(Unavailable, "busy", "Another request holds what this one needs. Try again.")
search_busy = ErrorEntry(
    Unavailable, "search_busy", "Too many searches are running. Try again, or search for more of the name."
)
database_unavailable = ErrorEntry(Unavailable, "database_unavailable", "The database is unavailable. Try again.")
broker_unavailable = ErrorEntry(Unavailable, "broker_unavailable", "The task broker is unavailable. Try again.")
outcome_unknown = ErrorEntry(OutcomeUnknown)

# Logins and tokens
not_authenticated = ErrorEntry(Unauthenticated)
invalid_credentials = ErrorEntry(Unauthenticated, "invalid_credentials", "The e-mail address or password is wrong.")
# One error for every reason: the reason is not revealed.
invalid_token = ErrorEntry(Unauthenticated, "invalid_token", "This token is invalid or has expired.")
invalid_ticket = ErrorEntry(Unauthenticated, "invalid_ticket", "This ticket is invalid or has expired.")
token_reused = ErrorEntry(
    Unauthenticated, "token_reused", "This refresh token was used before, so the login has ended. Log in again."
)
# The login of the request is not live.
login_ended = ErrorEntry(Unauthenticated, "login_ended", "This login has ended. Log in again.")
login_not_found = ErrorEntry(NotFound, "not_found", "There is no such login.")
not_activated = ErrorEntry(
    Forbidden, "not_activated", "This account is not activated yet. Follow the link in the activation mail."
)
suspended = ErrorEntry(Forbidden, "suspended", "This account is suspended.")
# One error for unknown, spent, expired and superseded tokens.
invalid_mailed_token = InvalidEntry(
    "invalid_mailed_token",
    "This token is invalid or has expired. Request another mail.",
    ("token", "Must be valid, and used before it expires."),
)
invalid_unsubscribe_token = InvalidEntry(
    "invalid_mailed_token",
    "This token is invalid. Copy it unchanged from the mail.",
    ("token", "Must be copied unchanged from the mail."),
)

# Second factors
second_factor_required = ErrorEntry(
    Unauthenticated, "second_factor_required", "Send a code from the authenticator app, or a recovery code."
)
invalid_code = ErrorEntry(Unauthenticated, "invalid_code", "This code is wrong or was used before.")
wrong_code = InvalidEntry("wrong_code", "This code is wrong.", ("code", "Must be the current code."))
second_factor_needed = ErrorEntry(
    Forbidden, "second_factor_needed", "Operators need a second factor. Set one up under /me/second-factor/."
)
second_factor_off = ErrorEntry(Conflict, "second_factor_off", "This account has no second factor.")
second_factor_not_begun = ErrorEntry(Conflict, "second_factor_off", "There is no second factor to confirm.")
second_factor_on = ErrorEntry(
    Conflict, "second_factor_on", "This account already has a second factor. Turn it off first."
)

# Accounts
wrong_password = InvalidEntry(
    "wrong_password", "The current password is wrong.", ("current_password", "Must be your current password.")
)
common_password = InvalidEntry(
    "common_password", "This password is among the most common ones, which attackers try first."
)
personal_password = InvalidEntry(
    "personal_password", "This password is your e-mail address or name, which attackers try first."
)
email_taken = ErrorEntry(Conflict, "email_taken", "An account with this e-mail address already exists.")
registration_closed = ErrorEntry(Forbidden, "registration_closed", "Registration is closed on this server.")
invite_required = ErrorEntry(
    Forbidden, "invite_required", "Registration needs an invite: open the link that you received."
)
# One error for unknown, expired, used-up and revoked invites, and for those of another address.
invalid_invite = ErrorEntry(
    Forbidden, "invalid_invite", "This invite is not valid or no longer valid. Ask for another."
)
unknown_invite = ErrorEntry(NotFound, invalid_invite.code, invalid_invite.detail)
user_not_found = ErrorEntry(NotFound, "unknown_user", "There is no such user.")
account_not_found = ErrorEntry(NotFound, "not_found", "There is no such account.")
account_closed = ErrorEntry(Conflict, "account_closed", "This account is closed.")
own_account = ErrorEntry(Conflict, "own_account", "You cannot suspend your own account.")
already_suspended = ErrorEntry(Conflict, "already_suspended", "This account is already suspended.")
not_suspended = ErrorEntry(Conflict, "not_suspended", "This account is not suspended.")

# Conversations
# The same error for a conversation that does not exist, is deleted, or must not be revealed.
conversation_not_found = ErrorEntry(NotFound, "not_found", "There is no such conversation.")
unknown_conversation = InvalidEntry("unknown_conversation", "There is no such conversation.")
unknown_user = InvalidEntry("unknown_user", "There is no such user.", ("user", "Must be an existing user."))
yourself = InvalidEntry(
    "yourself", "A direct conversation needs a user other than yourself.", ("user", "Must be another user.")
)
empty_change = InvalidEntry(Invalid.code, "Give a name, or is_private.", ("name", "Must be given, or is_private."))
invalid_seq = InvalidEntry("invalid_seq", "There is no message with this seq yet.")
members_only = ErrorEntry(Forbidden, "not_a_member", "Only members of the conversation can do this.")
admins_only = ErrorEntry(Forbidden, "admins_only", "Only admins of the conversation can do this.")
creator_only = ErrorEntry(Forbidden, "creator_only", "Only the creator of a conversation can delete it.")
creator_fixed = ErrorEntry(Forbidden, "creator", "The conversation's creator cannot be changed or removed.")
not_addable = ErrorEntry(Forbidden, "not_addable", "You cannot add this user or start a conversation with them.")
already_member = ErrorEntry(Conflict, "already_member", "This user is already a member.")
already_joined = ErrorEntry(Conflict, "already_member", "You are already a member.")
not_a_member = ErrorEntry(Conflict, "not_a_member", "This user is not a member.")
not_joined = ErrorEntry(Conflict, "not_a_member", "You are not a member.")
already_admin = ErrorEntry(Conflict, "already_admin", "This user is already an admin.")
not_an_admin = ErrorEntry(Conflict, "not_an_admin", "This user is not an admin.")
not_in_directs = ErrorEntry(Conflict, "direct", "This is not possible in a direct conversation.")
not_in_groups = ErrorEntry(Conflict, "group", "Only a direct conversation can be hidden. Leave the group instead.")
conversation_full = ErrorEntry(
    Conflict, "conversation_full", f"A conversation can have at most {MAX_MEMBERS:,} members."
)
too_many_conversations = ErrorEntry(
    Conflict, "too_many_conversations", f"You have reached the limit of {MAX_CONVERSATIONS:,} conversations."
)
user_has_too_many_conversations = ErrorEntry(
    Conflict, "too_many_conversations", f"This user has reached the limit of {MAX_CONVERSATIONS:,} conversations."
)

# Messages
message_not_found = ErrorEntry(NotFound, "not_found", "There is no such message in this conversation.")
invalid_message = InvalidEntry("invalid_message", "The message is not valid.")
empty_edit = InvalidEntry("invalid_message", "Give either text or media_url.")
unknown_reply = InvalidEntry(
    "invalid_message",
    "reply_to must be the seq of a message in this conversation.",
    ("reply_to", "Must be the seq of a message in this conversation."),
)
invalid_limit = InvalidEntry(
    "invalid_limit",
    f"limit must be between 1 and {MAX_PAGE_SIZE}.",
    ("limit", f"Must be between 1 and {MAX_PAGE_SIZE}."),
)
invalid_page = InvalidEntry("invalid_page", "Give only one of before, after and around.")
page_out_of_range = InvalidEntry("invalid_page", "before and around must be at least 1, after at least 0.")
negative_position = InvalidEntry(Invalid.code, "A position cannot be negative.", ("after", "Must be at least 0."))
position_ahead = ErrorEntry(
    Conflict, "reset", "This position is ahead of the conversation. Load the conversation again."
)
idempotency_mismatch = ErrorEntry(Unprocessable)
not_the_sender = ErrorEntry(Forbidden, "not_the_sender", "Only the sender can edit a message.")
sender_or_admin_only = ErrorEntry(Forbidden, "not_the_sender", "Only the sender or an admin can delete a message.")
message_deleted = ErrorEntry(Conflict, "deleted", "This message has been deleted.")

# Sockets
another_login = InvalidEntry("another_login", "This token belongs to another login. Open another socket for it.")
too_many_resumes = InvalidEntry("too_many_resumes", "Wait until the catch-ups in progress have finished.")

# Operators
invite_not_found = ErrorEntry(NotFound, "not_found", "There is no such invite.")
too_many_invites = ErrorEntry(
    Conflict,
    "too_many_invites",
    f"At most {MAX_OPEN_INVITES:,} invites can be open at a time. Revoke some, or wait until they expire.",
)
broadcast_not_found = ErrorEntry(NotFound, "not_found", "There is no such broadcast.")
already_canceled = ErrorEntry(Conflict, "already_canceled", "This broadcast is already canceled.")
too_many_broadcasts = ErrorEntry(
    Conflict, "too_many_broadcasts", f"At most {MAX_SCHEDULED_BROADCASTS} broadcasts can be scheduled at a time."
)
failed_task_not_found = ErrorEntry(NotFound, "not_found", "There is no such failed task.")
not_repeatable = ErrorEntry(Conflict, "not_repeatable", "This task is not registered here and cannot be retried.")
message_not_traced = ErrorEntry(NotFound, "not_found", "There is no such message.")
trace_needs_conversation = InvalidEntry(
    "trace_needs_conversation",
    "Too many conversations were active since this message. Name the conversation too.",
    ("conversation", "Must be given for a message as old as this."),
)
policy_not_found = ErrorEntry(NotFound, "unknown_policy", "There is no such throttling policy.")
policy_without_exceptions = ErrorEntry(
    NotFound, "unknown_policy", "This throttling policy does not count by user and takes no exceptions."
)
too_many_exceptions = ErrorEntry(
    Conflict,
    "too_many_exceptions",
    f"At most {MAX_THROTTLE_EXCEPTIONS:,} exceptions can be set. Change the policy itself, or remove some.",
)

# Development
unplugged = ErrorEntry(Conflict, "unplugged", "A part of the chat is unplugged already. Wait until it is back.")

CATALOGUE: Final[dict[str, ErrorEntry[ChatError]]] = {
    name: entry for name, entry in globals().items() if isinstance(entry, ErrorEntry)
}
"""All entries by name, in order of declaration."""
