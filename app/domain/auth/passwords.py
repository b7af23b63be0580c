"""Passwords: argon2id, off the event loop, bounded in parallel and in waiting; the ones everybody tries are refused.

Hashing costs tens of milliseconds and 19 MiB by design. So it runs in a few threads of its own, never in the event
loop, and beyond a bounded number of waiting callers the next is refused: a flood of logins may not take the memory or
the time of everything else. Whether an account exists changes nothing about the time taken (`verify(None, …)`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from secrets import token_urlsafe
from typing import TypeVar
from unicodedata import category, normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.errors import Invalid, Unavailable
from app.domain.events import recorded
from app.domain.validation import wrong

SHORTEST, LONGEST = 8, 128
MEMORY_KIB, PASSES, LANES = 19_456, 2, 1
"""The OWASP minimum for argon2id (Password Storage Cheat Sheet): m=19456 KiB, t=2, p=1."""

THREADS = 2
MAX_WAITING = 64
COMMON = Path(__file__).with_name("common_passwords.txt")

Answer = TypeVar("Answer")


class Passwords:
    """Hashes and verifies; one a process. `close()` ends its threads."""

    def __init__(
        self,
        *,
        memory: int = MEMORY_KIB,
        passes: int = PASSES,
        threads: int = THREADS,
        waiting: int = MAX_WAITING,
    ) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory, parallelism=LANES)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._most = threads + waiting
        self._jobs = 0
        # Same parameters, of a password nobody knows: what an unknown account's guess is held against.
        self._nobodys = self._hasher.hash(token_urlsafe(32))

    async def hash(self, password: str) -> str:
        """The encoded hash. Raises Unavailable when too many are waiting."""
        return await self._off_loop(lambda: self._hasher.hash(canonical(password)))

    async def verify(self, encoded: str | None, password: str) -> bool:
        """Whether `password` is the one of `encoded`; with None (no such account) False, after the same work.

        Raises:
            Unavailable: too many are waiting.
        """
        return await self._off_loop(lambda: self._matches(encoded, password))

    def is_outdated(self, encoded: str) -> bool:
        """Whether `encoded` was made with other parameters than today's, and should be made anew."""
        return self._hasher.check_needs_rehash(encoded)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _matches(self, encoded: str | None, password: str) -> bool:
        # Passwords of before were normalized only. Which forms are tried depends on what was typed, not on the account.
        forms = dict.fromkeys((canonical(password), _former(password)))
        return any(self._holds(encoded or self._nobodys, form) for form in forms) and encoded is not None

    def _holds(self, encoded: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(encoded, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _off_loop(self, job: Callable[[], Answer]) -> Answer:
        if self._jobs >= self._most:
            raise Unavailable("overloaded", "Too many logins at once: try again.")
        self._jobs += 1
        future = self._threads.submit(job)
        # Counted until the thread is done with it, not until the caller gives up: a hang-up frees no thread.
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: _tell(loop, self._job_done))
        return await asyncio.wrap_future(future)

    def _job_done(self) -> None:
        self._jobs -= 1


def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(callback)


def canonical(password: str) -> bytes:
    """One form for what keyboards write in two (RFC 8265, 4.2.2, OpaqueString): é is one character, and every kind of
    blank is a space. Unlike there, control characters stay: any character may be in a password."""
    return _one_form(password).encode("utf-8", "surrogatepass")


def _one_form(password: str) -> str:
    return normalize("NFC", "".join(" " if category(one) == "Zs" else one for one in password))


def _former(password: str) -> bytes:
    return normalize("NFC", password).encode("utf-8", "surrogatepass")


def check_new(password: str, field: str = "password", *, about: Iterable[str] = ()) -> str:
    """`password`, once it may become that of someone `about` whom these are known: e-mail address and names.

    Raises:
        Invalid: in its normalized form shorter than 8 or longer than 128 characters; not encodable; among the most
            common ones (`common_password`); or what is known of its owner (`personal_password`).
    """
    chosen = _one_form(password)
    if not SHORTEST <= len(chosen) <= LONGEST:
        raise wrong(field, f"Use {SHORTEST} to {LONGEST} characters.")
    try:
        chosen.encode()
    except UnicodeEncodeError:
        raise wrong(field, "Contains half of a surrogate pair.") from None
    if _letters(chosen) in _known(about):
        raise Invalid(
            "personal_password",
            "This password is your e-mail address or your name, which others try first.",
            errors=((field, "Is your e-mail address or name: choose another."),),
        )
    if chosen.lower() in common_passwords():
        raise Invalid(
            "common_password",
            "This password is one of those everybody tries first.",
            errors=((field, "Is among the most common passwords: choose another."),),
        )
    return password


def _known(about: Iterable[str]) -> set[str]:
    """Each fact, the part of an address before the @ and before a +, and all facts in a row, both ways."""
    facts = [fact for fact in about if fact]
    locals_of = [fact.partition("@")[0] for fact in facts if "@" in fact]
    names = [fact for fact in facts if "@" not in fact]
    rows = ["".join(names), "".join(reversed(names))]
    known = (*facts, *locals_of, *[one.partition("+")[0] for one in locals_of], *rows)
    return {_letters(one) for one in known} - {""}


def _letters(text: str) -> str:
    """Without case and blanks."""
    return "".join(normalize("NFKC", text).casefold().split())


@cache
def common_passwords() -> frozenset[str]:
    """In lower case; see the head of the file for where they come from."""
    lines = COMMON.read_text(encoding="ascii").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("# "))


@asynccontextmanager
async def released_connection(session: AsyncSession) -> AsyncIterator[None]:
    """No connection inside the block, another transaction after it. Only before the first write.

    What was read before may have changed since: whoever acts on it asks again.

    Raises:
        Unavailable: no connection was to be had afterwards.
    """
    assert not recorded(session), "something was written before the pause, and would be lost"
    await session.rollback()
    yield
    try:
        await session.connection()
    except PoolTimeout as error:
        raise Unavailable("database_unavailable", "The database is away: try again.") from error
