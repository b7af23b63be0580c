"""An account that strangers guess at: a right password and a mailed code get its owner in, and no one learns more."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pyotp
import pytest
from httpx import Response
from sqlalchemy import func, select, update

from app.db import Database
from app.domain.auth import mailed_login_codes
from app.domain.auth.devices import Device
from app.domain.auth.mailed_login_codes import Slowed
from app.domain.auth.passwords import Passwords
from app.domain.errors import Throttled
from app.domain.mails.models import Mail
from app.domain.rates import Rate
from app.domain.users.models import MailedTokenRow, User
from app.throttling import password_guesses
from tests.support.factories import now
from tests.support.logins import Unlimited
from tests.support.mailbox import Mailboxes, html_of, text_of
from tests.support.statements import recorded_statements
from tests.support.web import API, PASSWORD, Client, register, running
from tests.system.mails.conftest import Place

HOME, AWAY = "203.0.113.5", "198.51.100.77"
CODE = re.compile(r"\b([a-z2-7]{4}(?:-[a-z2-7]{4}){3})\b")


@pytest.fixture
async def api(place: Place, mailboxes: Mailboxes, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """Behind a proxy, so that clients have addresses; five wrong guesses from anywhere are too many."""
    monkeypatch.setitem(password_guesses.RATES, password_guesses.FROM_ANYWHERE, Rate(5, 3_600))
    async with running(place.settings, trusted_proxy_hops=1) as client:
        yield client


async def attempt(api: Client, email: str, password: str = PASSWORD, address: str = AWAY, **codes: str) -> Response:
    body = {"email": email, "password": password, **codes}
    return await api.post(f"{API}/login/", json=body, headers={"X-Forwarded-For": address})


async def besieged(api: Client) -> str:
    """An account at home in HOME, at which strangers of other networks guessed."""
    email: str = (await register(api))["email"]
    assert (await attempt(api, email, address=HOME)).status_code == 200
    for number in range(6):
        await attempt(api, email, "wrong", f"192.0.2.{number}")
    return email


async def mailed_code(mailboxes: Mailboxes, email: str, number: int = 1) -> str:
    letter = await mailboxes.wait_for(email, "Your code", number)
    [code] = set(CODE.findall(text_of(letter)))
    assert code in html_of(letter)
    return str(code)


def visible(answer: Response) -> tuple[int, Any, set[tuple[str, str]]]:
    """All that a client sees, but for the request's id and the seconds, which move with the clock."""
    body = re.sub(r"again in \d+ s", "again in N s", answer.text)
    headers = {(name, re.sub(r"\d+$", "N", value)) for name, value in answer.headers.items()}
    return answer.status_code, body, {(n, v) for n, v in headers if n not in ("x-request-id", "content-length")}


async def test_the_owner_logs_in_from_anywhere_with_the_password_and_a_mailed_code(
    api: Client, mailboxes: Mailboxes
) -> None:
    email = await besieged(api)
    answer = await attempt(api, email)
    assert answer.status_code == 429
    assert "mailed_code" in answer.json()["detail"]
    code = await mailed_code(mailboxes, email)
    assert (await attempt(api, email, "wrong", mailed_code=code)).status_code == 429
    assert (await attempt(api, email, mailed_code="aaaa-aaaa-aaaa-aaaa")).status_code == 429
    assert (await attempt(api, email, mailed_code=f" {code.upper().replace('-', ' ')} ")).status_code == 200
    # The network is known from now on, and the code is spent.
    assert (await attempt(api, email)).status_code == 200
    assert (await attempt(api, email, address="198.51.100.78", mailed_code=code)).status_code == 429


async def test_guesses_from_the_owners_network_do_not_lock_the_owner_out(api: Client, mailboxes: Mailboxes) -> None:
    email = await besieged(api)
    for _ in range(11):
        await attempt(api, email, "wrong", HOME)
    # At home too: otherwise a guess from there would reveal a right password by passing.
    assert (await attempt(api, email, address=HOME)).status_code == 429
    code = await mailed_code(mailboxes, email)
    assert (await attempt(api, email, address=HOME, mailed_code=code)).status_code == 200


async def test_a_slowed_login_answers_right_wrong_and_unknown_alike(api: Client) -> None:
    email = await besieged(api)
    unknown = "no.account.here@example.org"
    for number in range(6):
        await attempt(api, unknown, "wrong", f"192.0.2.{number}")
    right = visible(await attempt(api, email, address="198.51.100.1"))
    assert right[0] == 429
    assert visible(await attempt(api, email, "wrong", "198.51.100.2")) == right
    assert visible(await attempt(api, unknown, "wrong", "198.51.100.3")) == right
    assert visible(await attempt(api, unknown, "wrong", "198.51.100.4", mailed_code="aaaa-aaaa-aaaa-aaaa")) == right


async def test_a_wrong_password_does_not_reveal_the_owners_network(api: Client) -> None:
    email = await besieged(api)
    unknown = "no.account.here@example.org"
    for number in range(6):
        await attempt(api, unknown, "wrong", f"192.0.2.{number}")
    at_home = visible(await attempt(api, email, "wrong", HOME))
    assert at_home[0] == 429
    assert at_home == visible(await attempt(api, email, "wrong", "198.51.100.5"))
    assert at_home == visible(await attempt(api, unknown, "wrong", HOME))
    assert (await attempt(api, email, address=HOME)).status_code == 200


async def test_one_of_several_parallel_logins_with_one_code_succeeds(api: Client, mailboxes: Mailboxes) -> None:
    email = await besieged(api)
    await attempt(api, email)
    code = await mailed_code(mailboxes, email)
    answers = await asyncio.gather(
        *(attempt(api, email, address=f"198.51.100.{n}", mailed_code=code) for n in range(4))
    )
    assert Counter(one.status_code for one in answers) == {200: 1, 429: 3}


async def test_a_mailed_code_expires_after_an_hour_and_with_a_password_change(
    api: Client, mailboxes: Mailboxes, database: Database
) -> None:
    email = await besieged(api)
    for number in (1, 2):
        await attempt(api, email, address=f"198.51.100.{number}")
    old, outdated = await mailed_code(mailboxes, email), await mailed_code(mailboxes, email, 2)
    whose = select(User.id).where(User.email == email).scalar_subquery()
    async with database.transaction() as session:
        digests = set(await session.scalars(select(MailedTokenRow.digest).where(MailedTokenRow.user_id == whose)))
        assert not any(code.encode() in digest for code in (old, outdated) for digest in digests)
        left = select(func.max(MailedTokenRow.expires_at - func.clock_timestamp())).where(
            MailedTokenRow.user_id == whose
        )
        assert 3_500 < (await session.scalar(left)).total_seconds() <= 3_600  # type: ignore[union-attr]
        await session.execute(update(User).where(User.email == email).values(credentials=User.credentials + 1))
    assert (await attempt(api, email, mailed_code=outdated)).status_code == 429
    async with database.transaction() as session:
        await session.execute(update(User).where(User.email == email).values(credentials=User.credentials - 1))
        await session.execute(update(MailedTokenRow).where(MailedTokenRow.user_id == whose).values(expires_at=now()))
    assert (await attempt(api, email, mailed_code=old)).status_code == 429


async def test_wrong_guesses_leave_the_owners_mailed_codes(api: Client, mailboxes: Mailboxes) -> None:
    email = await besieged(api)
    for number in range(12):
        assert (await attempt(api, email, "wrong", f"198.51.101.{number}")).status_code == 429
    assert mailboxes.to(email, "Your code") == []
    await attempt(api, email)
    code = await mailed_code(mailboxes, email)
    assert (await attempt(api, email, mailed_code=code)).status_code == 200


async def test_a_mailed_code_allows_one_guess_at_the_second_factor(api: Client, mailboxes: Mailboxes) -> None:
    email = (await register(api))["email"]
    login = (await attempt(api, email, address=HOME)).json()
    headers = {"Authorization": f"Bearer {login['access']}"}
    path = f"{API}/me/second-factor"
    secret = (await api.post(f"{path}/", json={"current_password": PASSWORD}, headers=headers)).json()["secret"]
    confirmed = await api.post(f"{path}/confirm/", json={"code": pyotp.TOTP(secret).now()}, headers=headers)
    recovery = confirmed.json()["recovery_codes"]
    for number in range(6):
        await attempt(api, email, "wrong", f"192.0.2.{number}")
    await attempt(api, email)
    code = await mailed_code(mailboxes, email)
    asked_for = await attempt(api, email, mailed_code=code)
    assert (asked_for.status_code, asked_for.json()["code"]) == (401, "second_factor_required")
    assert (await attempt(api, email, mailed_code=code, code="000000")).json()["code"] == "invalid_code"
    assert (await attempt(api, email, mailed_code=code, code=recovery[0])).status_code == 429
    await attempt(api, email, address="198.51.100.79")
    code = await mailed_code(mailboxes, email, 2)
    assert (await attempt(api, email, mailed_code=code, code=recovery[0])).status_code == 200


async def test_a_right_a_wrong_and_an_unknown_login_run_the_same_statements(api: Client, database: Database) -> None:
    """The time an answer takes is an answer: the statements are the same, one by one."""
    email: str = (await register(api))["email"]
    slowed = Slowed(refusal=Throttled("guesses", 1), home_passes=True)
    passwords = Passwords()
    done: list[list[str]] = []
    for typed, password in ((email, PASSWORD), (email, "wrong"), ("no.account@example.org", PASSWORD)):
        with recorded_statements(database) as statements:
            async with database.transaction() as session:
                passed = await mailed_login_codes.check_attempt(
                    session,
                    slowed,
                    email=typed,
                    password=password,
                    mailed_code="aaaa",
                    device=Device(address=AWAY),
                    passwords=passwords,
                    quotas=Unlimited(),
                )
        assert passed is None
        done.append([re.sub(r"%\(\w+\)s(::\w+)?", "?", one.partition(" VALUES ")[0]) for one in statements])
    passwords.close()
    assert len(done[0]) == 4
    assert [one.split()[:3] for one in done[0]] == [one.split()[:3] for one in done[1]]
    assert done[1] == done[2]
    async with database.transaction() as session:
        rows = (await session.execute(select(Mail.address, Mail.outcome).where(Mail.kind == "login_code"))).all()
    outcomes = [(row.address, row.outcome) for row in rows]
    assert outcomes.count((email, None)) == 1
    assert outcomes.count(("", "nothing")) >= 2


async def test_a_suspension_is_revealed_only_with_the_mailed_code(
    api: Client, mailboxes: Mailboxes, database: Database
) -> None:
    email = await besieged(api)
    await attempt(api, email)
    code = await mailed_code(mailboxes, email)
    async with database.transaction() as session:
        await session.execute(update(User).where(User.email == email).values(suspended_at=now()))
    assert (await attempt(api, email)).status_code == 429
    assert (await attempt(api, email, mailed_code=code)).json()["code"] == "suspended"
