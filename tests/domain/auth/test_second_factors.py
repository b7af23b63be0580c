"""The second factor: enrolment, confirmation, login with single-use codes, and removal."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter

import psycopg
import pyotp
import pytest
from cryptography.fernet import InvalidToken
from httpx import Response

from app.db import Database
from app.domain.auth.second_factors import SecondFactors
from app.domain.users.models import SecondFactor
from app.settings import Settings, environment_for_child
from tests.support.logins import alive
from tests.support.processes import ROOT
from tests.support.servers import count
from tests.support.web import API, PASSWORD, Client, Someone, join, log_in, problem, running

PATH = f"{API}/me/second-factor"


class Authenticator:
    """An app on a phone. Each `code()` is of a step of its own, as if half a minute had passed between two."""

    def __init__(self, secret: str) -> None:
        self._totp = pyotp.TOTP(secret)
        self._ahead = -1

    def code(self) -> str:
        self._ahead += 1
        assert self._ahead <= 2, "only three codes count at any time"
        return self.at(self._ahead - 1)

    def at(self, steps: int) -> str:
        return self._totp.at(int(time.time()), counter_offset=steps)


async def enrolled(api: Client, person: Someone) -> Authenticator:
    answer = await api.post(f"{PATH}/", json={"current_password": PASSWORD}, headers=person.headers)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert pyotp.parse_uri(body["uri"]).secret == body["secret"]
    return Authenticator(body["secret"])


async def protected(api: Client, person: Someone) -> tuple[Authenticator, list[str]]:
    phone = await enrolled(api, person)
    answer = await api.post(f"{PATH}/confirm/", json={"code": phone.code()}, headers=person.headers)
    assert answer.status_code == 200, answer.text
    return phone, answer.json()["recovery_codes"]


async def state(api: Client, person: Someone) -> tuple[bool, int]:
    body = (await api.get(f"{PATH}/", headers=person.headers)).json()
    return body["enabled"], body["recovery_codes_left"]


async def try_to_log_in(api: Client, person: Someone, code: str | None = None, password: str = PASSWORD) -> object:
    body = {"email": person.email, "password": password} | ({} if code is None else {"code": code})
    answer = await api.post(f"{API}/login/", json=body)
    return 200 if answer.status_code == 200 else answer.json()["code"]


async def test_a_second_factor_takes_effect_when_it_is_confirmed(api: Client) -> None:
    ada = await join(api)
    assert await state(api, ada) == (False, 0)
    phone = await enrolled(api, ada)
    assert await state(api, ada) == (False, 0)
    assert await try_to_log_in(api, ada) == 200
    problem(await api.post(f"{PATH}/confirm/", json={"code": "000000"}, headers=ada.headers), 400, "wrong_code")
    answer = await api.post(f"{PATH}/confirm/", json={"code": f" {phone.code()} "}, headers=ada.headers)
    codes = answer.json()["recovery_codes"]
    assert len(set(codes)) == 10
    assert await state(api, ada) == (True, 10)
    assert await try_to_log_in(api, ada) == "second_factor_required"
    assert await try_to_log_in(api, ada, phone.code()) == 200


async def test_a_code_without_the_right_password_is_answered_as_wrong_credentials(api: Client) -> None:
    ada = await join(api)
    phone, codes = await protected(api, ada)
    for code in (None, phone.at(0), codes[0]):
        assert await try_to_log_in(api, ada, code, "not the password") == "invalid_credentials"
    assert await state(api, ada) == (True, 10)


async def test_no_code_is_used_twice(api: Client) -> None:
    ada = await join(api)
    phone, _ = await protected(api, ada)
    code = phone.code()
    outcomes = await asyncio.gather(*(try_to_log_in(api, ada, code) for _ in range(4)))
    assert Counter(outcomes) == {200: 1, "invalid_code": 3}
    assert await try_to_log_in(api, ada, code) == "invalid_code"
    # An older one is over, too: it may have been read over a shoulder.
    assert await try_to_log_in(api, ada, phone.at(-1)) == "invalid_code"
    assert await try_to_log_in(api, ada, phone.code()) == 200


@pytest.mark.parametrize("code", ["abc", "123", "١٢٣٤٥٦", "\x00", "0" * 1_000])
async def test_a_malformed_code_is_refused(api: Client, code: str) -> None:
    ada = await join(api)
    await protected(api, ada)
    assert await try_to_log_in(api, ada, code) == "invalid_code"
    assert await try_to_log_in(api, ada, "") == "second_factor_required"


async def test_a_code_three_steps_away_is_refused(api: Client) -> None:
    ada = await join(api)
    phone, _ = await protected(api, ada)
    for steps in (-3, 3):
        assert await try_to_log_in(api, ada, phone.at(steps)) == "invalid_code"


async def test_a_recovery_code_logs_in_once(api: Client) -> None:
    ada = await join(api)
    _, codes = await protected(api, ada)
    outcomes = await asyncio.gather(*(try_to_log_in(api, ada, codes[0].upper().replace("-", " ")) for _ in range(3)))
    assert Counter(outcomes) == {200: 1, "invalid_code": 2}
    assert await state(api, ada) == (True, 9)
    assert await try_to_log_in(api, ada, codes[1]) == 200


async def turn_off(api: Client, person: Someone, password: str, code: str) -> Response:
    body = {"current_password": password, "code": code}
    return await api.request("DELETE", f"{PATH}/", json=body, headers=person.headers)


async def test_a_second_factor_is_turned_off_with_the_password_and_a_code(api: Client) -> None:
    ada = await join(api)
    problem(await turn_off(api, ada, PASSWORD, "123456"), 409, "second_factor_off")
    phone, _ = await protected(api, ada)
    problem(await turn_off(api, ada, "not the password", phone.at(0)), 400, "wrong_password")
    problem(await turn_off(api, ada, PASSWORD, "000000"), 400, "wrong_code")
    right = {"current_password": PASSWORD}
    problem(await api.request("DELETE", f"{PATH}/", json=right, headers=ada.headers), 400, "invalid")
    problem(await api.post(f"{PATH}/", json={"current_password": "no"}, headers=ada.headers), 400, "wrong_password")
    problem(await api.post(f"{PATH}/", json=right, headers=ada.headers), 409, "second_factor_on")
    assert await state(api, ada) == (True, 10)
    assert (await turn_off(api, ada, PASSWORD, phone.code())).status_code == 204
    assert await state(api, ada) == (False, 0)
    await log_in(api, ada.email)


async def test_a_recovery_code_turns_the_second_factor_off(api: Client) -> None:
    ada = await join(api)
    _, codes = await protected(api, ada)
    assert (await turn_off(api, ada, PASSWORD, codes[3])).status_code == 204


async def test_enrolling_ends_the_logins_made_without_the_second_factor(api: Client) -> None:
    ada = await join(api)
    elsewhere = await log_in(api, ada.email)
    await enrolled(api, ada)
    assert await alive(api, elsewhere)
    await protected(api, ada)
    assert await alive(api, ada)
    assert not await alive(api, elsewhere)


async def renew(api: Client, person: Someone, password: str, code: str) -> Response:
    body = {"current_password": password, "code": code}
    return await api.post(f"{PATH}/recovery-codes/", json=body, headers=person.headers)


async def test_recovery_codes_are_renewed_with_the_password_and_a_code(api: Client) -> None:
    ada = await join(api)
    problem(await renew(api, ada, PASSWORD, "123456"), 409, "second_factor_off")
    phone, old = await protected(api, ada)
    problem(await renew(api, ada, "not the password", phone.at(0)), 400, "wrong_password")
    problem(await renew(api, ada, PASSWORD, "000000"), 400, "wrong_code")
    assert await try_to_log_in(api, ada, old[0]) == 200
    answer = await renew(api, ada, PASSWORD, old[1])
    assert answer.status_code == 201
    new = answer.json()["recovery_codes"]
    assert len(set(new)) == 10
    assert set(new) & set(old) == set()
    assert await try_to_log_in(api, ada, old[2]) == "invalid_code"
    assert await try_to_log_in(api, ada, new[0]) == 200
    assert await state(api, ada) == (True, 9)


async def test_operators_can_be_required_to_have_a_second_factor(settings: Settings) -> None:
    async with running(settings, operators_need_second_factor=True) as api:
        root, eve = await join(api, "Root"), await join(api, "Eve")
        with psycopg.connect(settings.libpq_url, connect_timeout=3) as connection:
            connection.execute("UPDATE users SET is_operator = true WHERE id = %s", [root.id])
        path = f"{API}/ops/queues/"
        refused = problem(await api.get(path, headers=root.headers), 403, "second_factor_needed")
        assert "/me/second-factor/" in refused["detail"]
        problem(await api.get(path, headers=eve.headers), 404, "not_found")
        await enrolled(api, root)
        problem(await api.get(path, headers=root.headers), 403, "second_factor_needed")
        await protected(api, root)
        assert (await api.get(path, headers=root.headers)).status_code == 200


async def test_confirming_a_missing_or_active_second_factor_is_a_conflict(api: Client) -> None:
    ada = await join(api)
    code = {"code": "123456"}
    problem(await api.post(f"{PATH}/confirm/", json=code, headers=ada.headers), 409, "second_factor_off")
    await protected(api, ada)
    problem(await api.post(f"{PATH}/confirm/", json=code, headers=ada.headers), 409, "second_factor_on")


async def test_guessing_codes_is_slowed(api: Client) -> None:
    ada = await join(api)
    await protected(api, ada)
    outcomes = Counter([await try_to_log_in(api, ada, f"{number:06}") for number in range(14)])
    assert outcomes["invalid_code"] <= 10
    assert outcomes["throttled"] >= 4


async def test_the_secret_is_sealed_and_outlives_a_change_of_keys(
    api: Client, database: Database, settings: Settings
) -> None:
    ada = await join(api)
    answer = await api.post(f"{PATH}/", json={"current_password": PASSWORD}, headers=ada.headers)
    secret = answer.json()["secret"]

    async def sealed() -> bytes:
        async with database.transaction() as session:
            return (await session.get_one(SecondFactor, ada.id)).sealed_secret

    before = await sealed()
    assert secret.encode() not in before
    async with database.transaction() as session:
        with pytest.raises(InvalidToken):
            await SecondFactors("another-secret").reseal(session)
    async with database.transaction() as session:
        assert await SecondFactors("another-secret", settings.secret_key).reseal(session) >= 1
    after = await sealed()
    assert after != before
    async with database.transaction() as session:
        # The way back, for the other tests of this database.
        await SecondFactors(settings.secret_key, "another-secret").reseal(session)


@pytest.mark.parametrize(("previous", "advice"), [("", ""), ("p" * 32, " Keep SECRET_KEY_PREVIOUS while logins last.")])
def test_an_operator_reseals_what_the_previous_key_sealed(settings: Settings, previous: str, advice: str) -> None:
    environment = environment_for_child(
        DATABASE_URL=settings.database_url,
        REDIS_URL=settings.redis_url,
        SECRET_KEY=settings.secret_key,
        SECRET_KEY_PREVIOUS=previous,
        DATA_DIR=str(settings.data_dir),
    )
    command = [sys.executable, "-m", "app.cli", "reseal"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    sealed = count(settings.libpq_url, "SELECT count(*) FROM second_factors")
    assert done.stdout == f"Sealed with today's key: {sealed}.{advice}\n"


async def test_recovery_codes_work_when_the_sealed_secret_cannot_be_opened(api: Client, database: Database) -> None:
    """SECRET_KEY was changed, and `chat reseal` forgotten."""
    ada = await join(api)
    phone, codes = await protected(api, ada)
    async with database.transaction() as session:
        row = await session.get_one(SecondFactor, ada.id)
        row.sealed_secret = SecondFactors("a key that is gone")._seal.encrypt(b"JBSWY3DPEHPK3PXP")
        await session.flush()
    assert await try_to_log_in(api, ada, phone.code()) == "invalid_code"
    assert await try_to_log_in(api, ada, codes[0]) == 200
