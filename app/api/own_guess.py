"""Counts wrong guesses in the handlers that check the caller's own password or code."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType

from litestar.di import NamedDependency

from app.api.request import ChatRequest
from app.domain.auth.devices import Device
from app.throttling.password_guesses import PasswordGuesses


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


def own_guess(
    request: ChatRequest, device: NamedDependency[Device], guesses: NamedDependency[PasswordGuesses]
) -> OwnGuess:
    """Provides the dependency `own_guess`."""
    return OwnGuess(guesses.counted(str(request.caller.user), device.address))
