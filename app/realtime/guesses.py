"""Guessing passwords made slow, without locking anybody out of their own account.

Wrong guesses are counted twice: per account and network, so that one guesser soon waits; and per account, so that a
thousand networks are together no faster. The second count never refuses a network the account has a login from: the
owner, at home, is not locked out by strangers. A right password gives back what it took. Unknown accounts are counted
like known ones, so the answers tell nothing about which exist.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.db import Database
from app.domain.errors import ChatError
from app.domain.rates import Rate
from app.domain.users.addresses import network
from app.domain.users.devices import is_familiar
from app.domain.users.emails import digest_of
from app.realtime.throttles import Demand, Throttles

FROM_NETWORK, FROM_ANYWHERE = "guesses", "guesses_anywhere"
RATES = {FROM_NETWORK: Rate(10, 300), FROM_ANYWHERE: Rate(100, 3_600)}
WRONG = frozenset({"invalid_credentials", "invalid_code", "wrong_code", "wrong_password"})


class Guesses:
    """The policies `guesses` and `guesses_anywhere` of the throttles are its limits."""

    def __init__(self, throttles: Throttles, database: Database) -> None:
        self._throttles = throttles
        self._database = database

    @asynccontextmanager
    async def counted(self, account: str, address: str) -> AsyncIterator[None]:
        """Around one guess at the password of `account` (an e-mail, known or not), from `address`.

        Raises:
            Throttled: too many wrong ones lately.
        """
        digest = digest_of(account)
        here = await self._throttles.take_one(Demand((FROM_NETWORK,), f"{digest}@{network(address)}"))
        if not here.allowed:
            raise here.error()
        anywhere = await self._throttles.take_one(Demand((FROM_ANYWHERE,), digest))
        if not anywhere.allowed and not await self._is_familiar(account, address):
            await self._throttles.give_back([here])
            raise anywhere.error()
        try:
            yield
        except ChatError as error:
            if error.code not in WRONG:
                await self._throttles.give_back([here, anywhere])
            raise
        await self._throttles.give_back([here, anywhere])

    async def _is_familiar(self, account: str, address: str) -> bool:
        async with self._database.transaction() as session:
            return await is_familiar(session, account, address)
