"""Guessing a password is counted where it happens; `app.realtime.guesses` counts."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable


@runtime_checkable
class Guesses(Protocol):
    def counted(self, account: str, address: str) -> AbstractAsyncContextManager[None]:
        """Around one guess at the password of `account` (an e-mail). Raises Throttled after too many wrong ones."""
