"""What happened to an account is in the log: which event, whose, from where; and nothing that proves anything."""

from __future__ import annotations

from typing import Any

import pyotp
import pytest
import structlog
from structlog.testing import capture_logs

from app.domain.auth import security_log
from app.settings import Settings
from tests.support.web import API, PASSWORD, Client, join, log_in, running

NEW = "another one, and better"


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Any:
    with capture_logs() as captured:
        monkeypatch.setattr(security_log, "log", structlog.get_logger("chat.security"))
        yield captured


def summaries(events: list[Any]) -> list[tuple[str, str | None, str]]:
    return [(one["event"], one["account"], one["address"]) for one in events if "account" in one]


async def test_each_security_event_names_account_and_address(settings: Settings, events: list[Any]) -> None:
    here = "198.51.100.7"
    async with running(settings, trusted_proxy_hops=1) as api:
        api.headers["X-Forwarded-For"] = here
        ada = await join(api)
        for email in (ada.email, "no.account@example.org"):
            await api.post(f"{API}/login/", json={"email": email, "password": "wrong password"})
        change = {"current_password": "wrong password", "new_password": NEW}
        await api.post(f"{API}/reset-password/", json=change, headers=ada.headers)
        await api.post(f"{API}/reset-password/", json={**change, "current_password": PASSWORD}, headers=ada.headers)
        path = f"{API}/me/second-factor"
        body = {"current_password": NEW}
        secret = (await api.post(f"{path}/", json=body, headers=ada.headers)).json()["secret"]
        confirmed = await api.post(f"{path}/confirm/", json={"code": pyotp.TOTP(secret).now()}, headers=ada.headers)
        codes = confirmed.json()["recovery_codes"]
        await api.post(f"{API}/login/", json={"email": ada.email, "password": NEW, "code": "wrong"})
        renewed = await api.post(f"{path}/recovery-codes/", json=body | {"code": codes[0]}, headers=ada.headers)
        code = renewed.json()["recovery_codes"][0]
        await api.request("DELETE", f"{path}/", json=body | {"code": code}, headers=ada.headers)
        again = await log_in(api, ada.email, NEW)
        for _ in range(3):
            pair = (await api.post(f"{API}/refresh/", json={"refresh": again.refresh})).json()
            if "refresh" in pair:
                await api.post(f"{API}/refresh/", json={"refresh": pair["refresh"]})
    assert summaries(events) == [
        ("login_failed", ada.id, here),
        ("login_failed", None, here),
        ("password_wrong", ada.id, here),
        ("password_changed", ada.id, here),
        ("second_factor_on", ada.id, here),
        ("second_factor_failed", ada.id, here),
        ("recovery_codes_renewed", ada.id, here),
        ("second_factor_off", ada.id, here),
        ("refresh_reused", ada.id, here),
    ]
    said = str(events)
    for secret_word in (PASSWORD, NEW, "wrong password", ada.email, secret, codes[0], code, again.refresh):
        assert secret_word not in said


async def test_a_success_leaves_no_security_event(api: Client, events: list[Any]) -> None:
    ada = await join(api)
    await log_in(api, ada.email)
    assert summaries(events) == []
