"""Security events: one line of the log each, for whoever has to find out afterwards what happened to an account.

A line names the event, the account where there is one, and the address the request came from; never a password, a code,
a token or an e-mail address. Known and unknown accounts leave a line alike, so no answer takes longer for it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final, Literal, TypeAlias
from uuid import UUID

import structlog

from app.domain.users.ip_addresses import UNKNOWN

Failure: TypeAlias = Literal["login_failed", "login_slowed", "password_wrong", "second_factor_failed", "refresh_reused"]
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


def comes_from(address: Callable[[], str]) -> None:
    """Say where the request of this task comes from; it is called when there is something to note."""
    _ADDRESS.set(address)


def failed(event: Failure, account: UUID | None, **facts: bool) -> None:
    """Someone did not prove to be who they say. `account` is None where there is none."""
    log.warning(event, account=str(account) if account else None, address=_ADDRESS.get()(), **facts)


def done(event: Act, account: UUID) -> None:
    """What proves who an account's owner is was changed; committed a moment later."""
    log.info(event, account=str(account), address=_ADDRESS.get()())
