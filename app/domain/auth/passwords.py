"""Passwords: argon2id, off the event loop, with bounded concurrency and queue; the most common ones are refused.

Hashing costs tens of milliseconds and 19 MiB by design. It therefore runs in a few dedicated threads, never in the
event loop, and callers beyond a bounded queue are refused: a flood of logins must not exhaust memory or time for
everything else. The time taken does not depend on whether an account exists (`verify(None, …)`).
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from secrets import token_urlsafe
from typing import TypeVar
from unicodedata import category, normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.error_catalogue import common_password, database_unavailable, overloaded, personal_password
from app.domain.events import recorded
from app.domain.validation import field_error

SHORTEST, LONGEST = 8, 128
MEMORY_KIB, PASSES, LANES = 19_456, 2, 1
"""The OWASP minimum for argon2id (Password Storage Cheat Sheet): m=19456 KiB, t=2, p=1."""

THREADS = 2
NICENESS = 10
"""Of a hashing thread, on Linux: between the default 0 and the lowest priority 19."""

MAX_WAITING = 64
COMMON = Path(__file__).with_name("common_passwords.txt")

Answer = TypeVar("Answer")


class Passwords:
    """Hashes and verifies; one instance per process. `close()` stops its threads."""

    def __init__(
        self,
        *,
        memory: int = MEMORY_KIB,
        passes: int = PASSES,
        threads: int = THREADS,
        waiting: int = MAX_WAITING,
    ) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory, parallelism=LANES)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="password", initializer=_yield_to_others)
        self._most = threads + waiting
        self._jobs = 0
        # A hash of a random password with the same parameters: guesses for unknown accounts are verified against it.
        self._nobodys = self._hasher.hash(token_urlsafe(32))

    async def hash(self, password: str) -> str:
        """Returns the encoded hash. Raises Unavailable if the queue is full."""
        return await self._off_loop(lambda: self._hasher.hash(canonical(password)))

    async def verify(self, encoded: str | None, password: str) -> bool:
        """Returns whether `password` matches `encoded`; None (no such account) returns False after the same work.

        Raises:
            Unavailable: the queue is full.
        """
        return await self._off_loop(lambda: self._matches(encoded, password))

    def is_outdated(self, encoded: str) -> bool:
        """Returns whether `encoded` was made with parameters other than the current ones and should be rehashed."""
        return self._hasher.check_needs_rehash(encoded)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _matches(self, encoded: str | None, password: str) -> bool:
        # Older hashes were of NFC-normalized text only. The forms tried depend on the input, not on the account.
        forms = dict.fromkeys((canonical(password), _formerly_canonical(password)))
        return any(self._holds(encoded or self._nobodys, form) for form in forms) and encoded is not None

    def _holds(self, encoded: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(encoded, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _off_loop(self, job: Callable[[], Answer]) -> Answer:
        if self._jobs >= self._most:
            raise overloaded()
        self._jobs += 1
        future = self._threads.submit(job)
        # Counted until the thread finishes, not until the caller gives up: a disconnect frees no thread.
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: _call_soon(loop, self._job_done))
        return await asyncio.wrap_future(future)

    def _job_done(self) -> None:
        self._jobs -= 1


def _yield_to_others() -> None:
    """Lowers this thread's priority: the event loop, which delivers messages, comes before hashing. Linux alone gives
    threads a priority of their own."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))


def _call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(callback)


def canonical(password: str) -> bytes:
    """Encodes a password in one form where keyboards produce several (RFC 8265, 4.2.2, OpaqueString): é is one
    character, and every kind of blank is a space. Unlike the RFC, control characters are allowed."""
    return _normalized(password).encode("utf-8", "surrogatepass")


def _normalized(password: str) -> str:
    return normalize("NFC", "".join(" " if category(character) == "Zs" else character for character in password))


def _formerly_canonical(password: str) -> bytes:
    return normalize("NFC", password).encode("utf-8", "surrogatepass")


def check_new_password(password: str, field: str = "password", *, about: Iterable[str] = ()) -> str:
    """Returns `password` if it is acceptable for the user whose e-mail address and names are `about`.

    Raises:
        Invalid: its normalized form is shorter than 8 or longer than 128 characters; not encodable; among the most
            common ones (`common_password`); or the e-mail address or name (`personal_password`).
    """
    chosen = _normalized(password)
    if not SHORTEST <= len(chosen) <= LONGEST:
        raise field_error(field, f"Must have {SHORTEST} to {LONGEST} characters.")
    try:
        chosen.encode()
    except UnicodeEncodeError:
        raise field_error(field, "Must not contain half of a surrogate pair.") from None
    if _letters(chosen) in _personal_words(about):
        raise personal_password((field, "Must not be your e-mail address or name."))
    if chosen.lower() in common_passwords():
        raise common_password((field, "Must not be among the most common passwords."))
    return password


def _personal_words(about: Iterable[str]) -> set[str]:
    """Each fact, the part of an address before the @ and before a +, and all names joined, in both orders."""
    facts = [fact for fact in about if fact]
    locals_of = [fact.partition("@")[0] for fact in facts if "@" in fact]
    names = [fact for fact in facts if "@" not in fact]
    rows = ["".join(names), "".join(reversed(names))]
    known = (*facts, *locals_of, *[name.partition("+")[0] for name in locals_of], *rows)
    return {_letters(word) for word in known} - {""}


def _letters(text: str) -> str:
    """Folds case and removes blanks."""
    return "".join(normalize("NFKC", text).casefold().split())


@cache
def common_passwords() -> frozenset[str]:
    """The common passwords in lower case; the head of the file names their source."""
    lines = COMMON.read_text(encoding="ascii").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("# "))


@asynccontextmanager
async def released_connection(session: AsyncSession) -> AsyncIterator[None]:
    """Releases the connection inside the block and begins a new transaction after it. Only before the first write.

    Rows read before may have changed: check them again before acting on them.

    Raises:
        Unavailable: no connection was available afterwards.
    """
    assert not recorded(session), "something was written before the pause, and would be lost"
    await session.rollback()
    yield
    try:
        await session.connection()
    except PoolTimeout as error:
        raise database_unavailable() from error
