"""Limits password guessing without locking users out of their own accounts.

Wrong guesses are counted twice: per account and network, which stops a single guesser; and per account, so that a
thousand networks are no faster together. A correct password returns its tokens. Unknown accounts are counted like known
ones, so the answers do not reveal which exist.

Beyond either limit a login is `Slowed`: it still succeeds with the correct password and a mailed code, from any
network, however many guesses strangers made. All other attempts get one answer (`app.domain.auth.mailed_login_codes`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID

from app.db import Database
from app.domain.auth.devices import has_logged_in_from
from app.domain.auth.mailed_login_codes import Slowed
from app.domain.errors import ChatError
from app.domain.rates import Rate
from app.domain.users.client_address import network
from app.domain.users.email_addresses import digest_of
from app.throttling.limiter import RateDecision, RateLimiter, RateRequest

FROM_NETWORK, FROM_ANYWHERE = "guesses", "guesses_anywhere"
RATES = {FROM_NETWORK: Rate(10, 300), FROM_ANYWHERE: Rate(100, 3_600)}
HINT = " A right password has had a code mailed to the account's address: log in with the password and `mailed_code`."
WRONG = frozenset({"invalid_credentials", "invalid_code", "wrong_code", "wrong_password"})

T = TypeVar("T")


class PasswordGuesses:
    """Enforces the rate policies `guesses` and `guesses_anywhere`."""

    def __init__(self, limiter: RateLimiter, database: Database) -> None:
        self._limiter = limiter
        self._database = database

    async def at_login(self, email: str, address: str, attempt: Callable[[Slowed | None], Awaitable[T]]) -> T:
        """Returns the result of `attempt`, a login from `address` to the account of `email`, known or not. Refuses
        nothing itself: too many recent wrong guesses make the login `Slowed`.

        An attempt that returns an error keeps its tokens, correct password or not, so the counts reveal nothing either.
        """
        digest = digest_of(email)
        from_network = await self._limiter.take_one(RateRequest((FROM_NETWORK,), f"{digest}@{network(address)}"))
        if not from_network.allowed:
            return await self._run([from_network], attempt(Slowed(refusal=from_network.error(HINT), home_passes=False)))
        from_anywhere = await self._limiter.take_one(RateRequest((FROM_ANYWHERE,), digest))
        slowed = None if from_anywhere.allowed else Slowed(refusal=from_anywhere.error(HINT), home_passes=True)
        return await self._run([from_network, from_anywhere], attempt(slowed))

    @asynccontextmanager
    async def counted(self, account: str, address: str) -> AsyncIterator[None]:
        """Wraps a check of the caller's own password or code; `account` is the caller's id. The caller is logged in, so
        strangers can neither use up these guesses nor learn from a refusal.

        Raises:
            Throttled: too many recent wrong guesses.
        """
        digest = digest_of(account)
        from_network = await self._limiter.take_one(RateRequest((FROM_NETWORK,), f"{digest}@{network(address)}"))
        if not from_network.allowed:
            raise from_network.error()
        from_anywhere = await self._limiter.take_one(RateRequest((FROM_ANYWHERE,), digest))
        if not from_anywhere.allowed and not await self._is_familiar(account, address):
            await self._limiter.give_back([from_network])
            raise from_anywhere.error()
        try:
            yield
        except ChatError as error:
            await self._give_back_unless_wrong([from_network, from_anywhere], error)
            raise
        await self._limiter.give_back([from_network, from_anywhere])

    async def _run(self, taken: list[RateDecision], attempt: Awaitable[T]) -> T:
        try:
            outcome = await attempt
        except ChatError as error:
            await self._give_back_unless_wrong(taken, error)
            raise
        if not isinstance(outcome, ChatError):
            await self._limiter.give_back(taken)
        return outcome

    async def _give_back_unless_wrong(self, taken: list[RateDecision], error: ChatError) -> None:
        if error.code not in WRONG:
            await self._limiter.give_back(taken)

    async def _is_familiar(self, account: str, address: str) -> bool:
        async with self._database.transaction() as session:
            return await has_logged_in_from(session, UUID(account), address)
