"""Security events, one log line each, for investigating what happened to an account.

A line names the event, the account if there is one, and the address of the request; never a password, a code, a token
or an e-mail address. Known and unknown accounts are logged alike, so that the response time does not distinguish them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final, Literal, TypeAlias
from uuid import UUID

import structlog

from app.domain.users.client_address import UNKNOWN

Failure: TypeAlias = Literal[
    "login_failed",
    "login_slowed",
    "password_wrong",
    "second_factor_failed",
    "refresh_reused",
    "first_login_refused",
]
Act: TypeAlias = Literal[
    "password_changed",
    "password_reset",
    "email_changed",
    "second_factor_on",
    "second_factor_off",
    "recovery_codes_renewed",
]

log = structlog.get_logger("chat.security")

_ADDRESS: Final[ContextVar[Callable[[], str]]] = ContextVar("security_address", default=lambda: UNKNOWN)


def set_client_address(address: Callable[[], str]) -> None:
    """Sets the function that returns the client's address for this task; called only when an event is logged."""
    _ADDRESS.set(address)


def log_failure(event: Failure, account: UUID | None, **facts: bool) -> None:
    """Logs a failed proof of identity. `account` is None if there is no such account."""
    log.warning(event, account=str(account) if account else None, address=_ADDRESS.get()(), **facts)


def log_act(event: Act, account: UUID) -> None:
    """Logs a change of an account's credentials, just before it is committed."""
    log.info(event, account=str(account), address=_ADDRESS.get()())
