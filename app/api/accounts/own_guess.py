"""Counts password guesses in the handlers that check one; `app.throttling.password_guesses` implements it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Protocol, TypeVar, runtime_checkable

from litestar.di import NamedDependency

from app.api.request import ChatRequest
from app.domain.auth.devices import Device
from app.domain.auth.login_codes import Slowed

T = TypeVar("T")


@runtime_checkable
class Guesses(Protocol):
    def at_login(self, email: str, address: str, attempt: Callable[[Slowed | None], Awaitable[T]]) -> Awaitable[T]:
        """Returns the result of `attempt`, a login to the account of `email`, slowed after too many wrong guesses."""

    def counted(self, account: str, address: str) -> AbstractAsyncContextManager[None]:
        """Wraps a check of the caller's own password; `account` is the user's id. Raises Throttled after too many
        wrong guesses."""


class OwnGuess:
    """Async context manager around a check of the caller's own password or code. Raises Throttled."""

    def __init__(self, counted: AbstractAsyncContextManager[None]) -> None:
        self._counted = counted

    async def __aenter__(self) -> None:
        await self._counted.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._counted.__aexit__(kind, error, traceback)


def own_guess(request: ChatRequest, device: NamedDependency[Device], guesses: NamedDependency[Guesses]) -> OwnGuess:
    """Provides the dependency `own_guess`."""
    return OwnGuess(guesses.counted(str(request.caller.user), device.address))
