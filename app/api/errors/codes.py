"""Every `code` a problem may carry, with its status and a sentence; the OpenAPI document lists them for each route.

A code means the same on every route. `tests/api/errors/test_codes.py` compares this table with all codes raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CODES: Final[Mapping[str, str]] = {
    "400 common_password": "This password is one of those everybody tries first.",
    "400 foreign_origin": "Pages of this origin may not call the API (see ALLOWED_ORIGINS).",
    "400 invalid": "The request is not valid.",
    "400 invalid_cursor": "This cursor does not belong to this list.",
    "400 invalid_limit": "limit is a number from 1 to 500.",
    "400 invalid_mailed_token": "This token is not valid, or not any more: ask for another mail.",
    "400 invalid_message": "A text message needs text, and not only blanks.",
    "400 invalid_page": "Give one of before, after and around.",
    "400 invalid_seq": "There is no such message yet.",
    "400 malformed": "The JSON is nested too deeply.",
    "400 personal_password": "This password is your e-mail address or your name, which others try first.",
    "400 unknown_conversation": "There is no such conversation.",
    "400 unknown_host": "This server does not go by that name (see ALLOWED_HOSTS).",
    "400 unknown_user": "There is no such person.",
    "400 wrong_code": "This is not the code of now.",
    "400 wrong_password": "The current password is wrong.",
    "400 yourself": "A direct conversation is with somebody else.",
    "401 invalid_code": "This code is wrong, or was used before.",
    "401 invalid_credentials": "E-mail or password is wrong.",
    "401 invalid_token": "This token is not valid, or not any more.",
    "401 login_ended": "This login has been ended. Log in again.",
    "401 not_authenticated": "Log in first.",
    "401 second_factor_required": "Send the code of the authenticator, or a recovery code.",
    "401 token_reused": "This refresh token was used before: the login is ended. Log in again.",
    "403 admins_only": "Only admins of the conversation may do this.",
    "403 creator": "Not on the creator of the conversation.",
    "403 creator_only": "Only the creator of a conversation may delete it.",
    "403 forbidden": "You may not do this.",
    "403 not_a_member": "Only members may do this.",
    "403 not_activated": "This account is not activated yet: follow the link in the mail.",
    "403 not_addable": "You cannot add this person or begin a conversation with them.",
    "403 not_the_sender": "Only its sender may edit a message.",
    "403 second_factor_needed": "Operators need a second factor: enrol one under /me/second-factor/.",
    "403 suspended": "This account is suspended.",
    "404 not_found": "There is no such conversation.",
    "404 unknown_policy": "There is no such policy; there are messages, user, requests, address.",
    "404 unknown_user": "There is no such person.",
    "405 method_not_allowed": "This path does not know that method; `Allow` lists what it knows.",
    "408 request_timeout": "The request did not come to its end in time.",
    "409 account_closed": "This account is closed.",
    "409 already_admin": "This person is an admin already.",
    "409 already_canceled": "This broadcast is canceled already.",
    "409 already_member": "This person is a member already.",
    "409 already_suspended": "This account is suspended already.",
    "409 conversation_full": "A conversation has at most 10,000 members.",
    "409 deleted": "The message is deleted.",
    "409 direct": "A direct conversation is two people's, always.",
    "409 email_taken": "There is an account with this e-mail address.",
    "409 group": "Only a direct conversation can be hidden. Leave the group instead.",
    "409 not_a_member": "This person is not a member.",
    "409 not_an_admin": "This person is not an admin.",
    "409 not_repeatable": "This was no task of ours: there is nothing to hand over again.",
    "409 not_suspended": "This account is not suspended.",
    "409 own_account": "Nobody suspends their own account.",
    "409 reset": "This position is from the future: load the conversation anew.",
    "409 second_factor_off": "There is no second factor.",
    "409 second_factor_on": "There is a second factor already: turn it off first.",
    "409 too_many_broadcasts": "At most 100 broadcasts wait for their time.",
    "409 too_many_conversations": "Nobody is in more than 5,000 conversations.",
    "409 too_many_exceptions": "At most 10,000 exceptions: change the policy itself, or take some back.",
    "413 too_large": "The body is larger than this accepts.",
    "414 url_too_long": "The address is longer than 8,192 bytes.",
    "415 unsupported_media_type": "Send JSON, and say so: Content-Type: application/json.",
    "422 idempotency_mismatch": "This client_id was first used with another body.",
    "429 throttled": "Too many requests for the policy 'requests': wait 12 s.",
    "431 head_too_large": "The headers are more than 100, or larger than 32,768 bytes.",
    "500 internal": "Something went wrong here. It is logged; trying again may or may not help.",
    "501 unknown_transfer_coding": "The only Transfer-Encoding this server knows is chunked.",
    "503 broker_unavailable": "The broker of the queues is away: try again.",
    "503 busy": "This is busy for the moment: try again.",
    "503 database_unavailable": "The database is away: try again.",
    "503 outcome_unknown": (
        "The database did not confirm this: it may be stored or not. Try again with the same client_id to learn which."
    ),
    "503 overloaded": "Too much is waiting to be done: try again.",
    "503 search_busy": "Too many searches are running. Try again, or search for more of the name.",
    "503 too_many_connections": "There are too many connections: close some, and try again.",
    "503 unavailable": "Something this needs is away for the moment: try again.",
}

OF_ALL: Final = ("429 throttled", "503 database_unavailable", "503 busy", "503 overloaded", "503 unavailable")
"""Errors that every route of the API may return, public or not."""

OF_CALLERS: Final = ("401 not_authenticated", "401 invalid_token", "401 login_ended")
OF_OPERATORS: Final = ("403 second_factor_needed",)
OF_BODIES: Final = ("400 invalid", "400 malformed", "413 too_large", "415 unsupported_media_type")
OF_WRITES: Final = ("503 outcome_unknown",)
