"""Shared by tests of logins: begins one in the database, and checks whether one is live."""

from __future__ import annotations

from app.db import Database
from app.domain.auth import logins
from app.domain.auth.devices import Device
from app.domain.auth.logins import LoggedIn
from app.domain.auth.passwords import Passwords
from app.domain.auth.second_factors import SecondFactors
from app.domain.auth.tokens import Tokens
from app.domain.users.caller import Caller
from app.domain.users.quotas import Quota
from tests.support.web import API, PASSWORD, Client, Someone

SECOND_FACTORS = SecondFactors("for-tests-only")


class Unlimited:
    """Quotas that no test exceeds."""

    async def allows(self, _quota: Quota, _subject: str, /) -> bool:
        return True

    async def require(self, _quota: Quota, _subject: str, /) -> None:
        return None


async def alive(api: Client, person: Someone) -> bool:
    answer = await api.get(f"{API}/me/", headers=person.headers)
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


async def begin(
    database: Database, email: str, passwords: Passwords, tokens: Tokens, password: str = PASSWORD
) -> Caller:
    async with database.transaction() as session:
        begun = await logins.log_in(
            session,
            email=email,
            password=password,
            device=Device(),
            passwords=passwords,
            second_factors=SECOND_FACTORS,
            quotas=Unlimited(),
            tokens=tokens,
        )
    assert isinstance(begun, LoggedIn)
    return tokens.verify(begun.access, "access").caller()
