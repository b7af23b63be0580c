"""Guessing passwords made slow, without locking anyone out of their own account.

Wrong guesses are counted twice: per account and network, so that one guesser soon waits; and per account, so that a
thousand networks are together no faster. A right password gives back what it took. Unknown accounts are counted like
known ones, so the answers do not tell which exist.

Beyond either count a login is `Slowed`: it still gets in with the right password and a mailed code, from any network,
however many guesses strangers made; and everything else gets one answer (`app.domain.auth.login_codes`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID

from app.db import Database
from app.domain.auth.devices import has_logged_in_from
from app.domain.auth.login_codes import Slowed
from app.domain.errors import ChatError
from app.domain.rates import Rate
from app.domain.users.email_addresses import digest_of
from app.domain.users.ip_addresses import network
from app.throttling.limiter import RateDecision, RateLimiter, RateRequest

FROM_NETWORK, FROM_ANYWHERE = "guesses", "guesses_anywhere"
RATES = {FROM_NETWORK: Rate(10, 300), FROM_ANYWHERE: Rate(100, 3_600)}
HINT = " A right password has had a code mailed to the account's address: log in with the password and `mailed_code`."
WRONG = frozenset({"invalid_credentials", "invalid_code", "wrong_code", "wrong_password"})

T = TypeVar("T")


class PasswordGuesses:
    """The policies `guesses` and `guesses_anywhere` of the throttles are its limits."""

    def __init__(self, throttles: RateLimiter, database: Database) -> None:
        self._throttles = throttles
        self._database = database

    async def at_login(self, email: str, address: str, attempt: Callable[[Slowed | None], Awaitable[T]]) -> T:
        """What `attempt` answers, a login to the account of `email`, known or not, from `address`. This refuses nothing
        itself: too many wrong guesses lately make the login `Slowed`.

        An attempt whose answer is an error keeps what it took, right password or wrong: the counts tell nothing either.
        """
        digest = digest_of(email)
        here = await self._throttles.take_one(RateRequest((FROM_NETWORK,), f"{digest}@{network(address)}"))
        if not here.allowed:
            return await self._judged([here], attempt(Slowed(refusal=here.error(HINT), home_passes=False)))
        anywhere = await self._throttles.take_one(RateRequest((FROM_ANYWHERE,), digest))
        slowed = None if anywhere.allowed else Slowed(refusal=anywhere.error(HINT), home_passes=True)
        return await self._judged([here, anywhere], attempt(slowed))

    @asynccontextmanager
    async def counted(self, account: str, address: str) -> AsyncIterator[None]:
        """Around a caller's proof of their own password or code; `account` is their id. Only who is logged in comes
        here, so no stranger can use these guesses up, nor learn anything from a refusal.

        Raises:
            Throttled: too many wrong ones lately.
        """
        digest = digest_of(account)
        here = await self._throttles.take_one(RateRequest((FROM_NETWORK,), f"{digest}@{network(address)}"))
        if not here.allowed:
            raise here.error()
        anywhere = await self._throttles.take_one(RateRequest((FROM_ANYWHERE,), digest))
        if not anywhere.allowed and not await self._is_familiar(account, address):
            await self._throttles.give_back([here])
            raise anywhere.error()
        try:
            yield
        except ChatError as error:
            await self._give_back_unless_wrong([here, anywhere], error)
            raise
        await self._throttles.give_back([here, anywhere])

    async def _judged(self, taken: list[RateDecision], attempt: Awaitable[T]) -> T:
        try:
            outcome = await attempt
        except ChatError as error:
            await self._give_back_unless_wrong(taken, error)
            raise
        if not isinstance(outcome, ChatError):
            await self._throttles.give_back(taken)
        return outcome

    async def _give_back_unless_wrong(self, taken: list[RateDecision], error: ChatError) -> None:
        if error.code not in WRONG:
            await self._throttles.give_back(taken)

    async def _is_familiar(self, account: str, address: str) -> bool:
        async with self._database.transaction() as session:
            return await has_logged_in_from(session, UUID(account), address)
