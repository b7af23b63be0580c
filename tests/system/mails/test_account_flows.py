"""Every account flow as a user goes through it: request, mail, link, result."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from app.db import Database
from app.domain.orm import uuid7
from app.domain.users.models import MailedTokenRow, User
from tests.support.logins import alive
from tests.support.mailbox import Mailboxes, html_of, link_of, text_of, token_of
from tests.support.web import API, PASSWORD, Client, Someone, log_in, problem
from tests.system.mails.conftest import PUBLIC_URL, Place

NEW = "another one, and better"


def address() -> str:
    return f"{uuid7()}@example.org"


async def ask(api: Client, path: str, **body: str) -> None:
    answer = await api.post(f"{API}{path}/", json=body)
    assert (answer.status_code, answer.content) == (204, b"")


async def sign_up(api: Client, email: str, password: str = PASSWORD, first_name: str = "Ada") -> None:
    person = {"email": email, "password": password, "first_name": first_name, "last_name": "Lovelace"}
    answer = await api.post(f"{API}/users/", json=person)
    assert (answer.status_code, answer.json()) == (202, {"detail": "Follow the link in the mail."})


@pytest.fixture
async def ada(api: Client, mailboxes: Mailboxes) -> Someone:
    """With an account that was activated by mail."""
    email = address()
    await sign_up(api, email)
    await ask(api, "/activate", token=token_of(await mailboxes.wait_for(email, "Activate")))
    return await log_in(api, email)


async def refused(api: Client, email: str, password: str, status: int = 401, code: str = "invalid_credentials") -> None:
    problem(await api.post(f"{API}/login/", json={"email": email, "password": password}), status, code)


async def test_an_account_is_created_by_the_link_in_the_mail(api: Client, mailboxes: Mailboxes) -> None:
    email = address()
    await sign_up(api, email)
    letter = await mailboxes.wait_for(email, "Activate")
    await refused(api, email, PASSWORD, 403, "not_activated")
    await refused(api, email, "not the password")
    link = urlsplit(link_of(letter))
    assert f"{link.scheme}://{link.netloc}{link.path}" == f"{PUBLIC_URL}/account"
    assert letter["To"] == email
    assert letter["Auto-Submitted"] == "auto-generated"
    assert "Hello Ada," in text_of(letter)
    await ask(api, "/activate", token=token_of(letter))
    await log_in(api, email)
    await mailboxes.wait_for(email, "Welcome")
    problem(await api.post(f"{API}/activate/", json={"token": token_of(letter)}), 400, "invalid_mailed_token")


async def test_an_activation_link_creates_only_the_registration_it_was_mailed_for(
    api: Client, mailboxes: Mailboxes
) -> None:
    email = address()
    await sign_up(api, email, "the password of a stranger", "Mallory")
    await sign_up(api, email, PASSWORD, "Ada")
    letters = [await mailboxes.wait_for(email, "Activate", number) for number in (1, 2)]
    [own] = [letter for letter in letters if "Hello Ada," in text_of(letter)]
    [strangers] = [letter for letter in letters if "Hello Mallory," in text_of(letter)]
    await ask(api, "/activate", token=token_of(own))
    await refused(api, email, "the password of a stranger")
    await log_in(api, email)
    problem(await api.post(f"{API}/activate/", json={"token": token_of(strangers)}), 400, "invalid_mailed_token")


async def test_registering_a_known_address_changes_nothing_and_mails_its_owner(
    api: Client, mailboxes: Mailboxes, ada: Someone
) -> None:
    await sign_up(api, ada.email.upper(), "the password of a stranger")
    letter = await mailboxes.wait_for(ada.email, "have an account at Chat already")
    assert "#" not in text_of(letter)
    assert "account#" not in html_of(letter)
    await refused(api, ada.email, "the password of a stranger", 403, "not_activated")
    await log_in(api, ada.email)


async def test_a_mail_does_not_repeat_a_name_that_looks_like_a_link(api: Client, mailboxes: Mailboxes) -> None:
    email = address()
    await sign_up(api, email, first_name="https://spam.example <b>win</b>")
    letter = await mailboxes.wait_for(email, "Activate")
    assert "spam" not in text_of(letter) + html_of(letter)
    assert "Hello," in text_of(letter)


async def test_a_pending_registration_can_be_mailed_again(api: Client, mailboxes: Mailboxes) -> None:
    email, nobody = address(), address()
    await sign_up(api, email)
    first = await mailboxes.wait_for(email, "Activate")
    for one in (nobody, email):
        await ask(api, "/resend-activation", email=one)
    again = await mailboxes.wait_for(email, "Activate", 2)
    assert token_of(again) != token_of(first)
    await ask(api, "/activate", token=token_of(first))
    problem(await api.post(f"{API}/activate/", json={"token": token_of(again)}), 400, "invalid_mailed_token")
    await ask(api, "/resend-activation", email=email)
    await ask(api, "/forgot-password", email=email)
    await mailboxes.wait_for(email, "Choose")
    assert mailboxes.to(nobody) == mailboxes.to(email, "have an account at Chat already") == []


async def test_an_inactive_account_is_activated_unchanged(
    api: Client, mailboxes: Mailboxes, ada: Someone, database: Database
) -> None:
    """As one taken over from the Django original may be."""
    async with database.transaction() as session:
        user = await session.get(User, ada.id)
        assert user is not None
        user.is_active = False
        await session.flush()
    await refused(api, ada.email, PASSWORD, 403, "not_activated")
    await ask(api, "/resend-activation", email=ada.email)
    await ask(api, "/activate", token=token_of(await mailboxes.wait_for(ada.email, "Activate", 2)))
    await log_in(api, ada.email)


async def test_a_password_reset_ends_all_logins(api: Client, mailboxes: Mailboxes, ada: Someone) -> None:
    nobody = address()
    for email in (ada.email, nobody):
        await ask(api, "/forgot-password", email=email)
    token = token_of(await mailboxes.wait_for(ada.email, "Choose a new password"))
    for bad, code in (("password1", "common_password"), ("short", "invalid")):
        body = {"token": token, "new_password": bad}
        problem(await api.post(f"{API}/forgot-password-confirm/", json=body), 400, code)
    assert await alive(api, ada)
    await ask(api, "/forgot-password-confirm", token=token, new_password=NEW, uid="from the original")
    assert not await alive(api, ada)
    await refused(api, ada.email, PASSWORD)
    await log_in(api, ada.email, NEW)
    await mailboxes.wait_for(ada.email, "password for Chat was changed")
    body = {"token": token, "new_password": PASSWORD}
    problem(await api.post(f"{API}/forgot-password-confirm/", json=body), 400, "invalid_mailed_token")
    assert mailboxes.to(nobody) == []


async def test_a_password_change_ends_the_tokens_mailed_before(api: Client, mailboxes: Mailboxes, ada: Someone) -> None:
    new_email = address()
    requested = {"new_email": new_email, "current_password": PASSWORD}
    assert (await api.post(f"{API}/me/email/", json=requested, headers=ada.headers)).status_code == 204
    await ask(api, "/forgot-password", email=ada.email)
    confirm = token_of(await mailboxes.wait_for(new_email, "Confirm"))
    forgotten = token_of(await mailboxes.wait_for(ada.email, "Choose a new password"))
    change = {"current_password": PASSWORD, "new_password": NEW}
    assert (await api.post(f"{API}/reset-password/", json=change, headers=ada.headers)).status_code == 204
    await mailboxes.wait_for(ada.email, "password for Chat was changed")
    problem(await api.post(f"{API}/confirm-email/", json={"token": confirm}), 400, "invalid_mailed_token")
    body = {"token": forgotten, "new_password": PASSWORD}
    problem(await api.post(f"{API}/forgot-password-confirm/", json=body), 400, "invalid_mailed_token")


async def test_an_email_change_takes_effect_when_confirmed_and_the_old_address_is_notified(
    api: Client, mailboxes: Mailboxes, ada: Someone
) -> None:
    new_email = address()
    wrong = {"new_email": new_email, "current_password": "not the password"}
    problem(await api.post(f"{API}/me/email/", json=wrong, headers=ada.headers), 400, "wrong_password")
    requested = {"new_email": new_email, "current_password": PASSWORD}
    assert (await api.post(f"{API}/me/email/", json=requested, headers=ada.headers)).status_code == 204
    received = await mailboxes.wait_for(ada.email, "about to change")
    assert new_email not in text_of(received), "a stranger could write a link into it"
    letter = await mailboxes.wait_for(new_email, "Confirm")
    await log_in(api, ada.email)
    await refused(api, new_email, PASSWORD)
    await ask(api, "/confirm-email", token=token_of(letter))
    for one in (ada.email, new_email):
        assert new_email not in text_of(await mailboxes.wait_for(one, "was changed"))
    await refused(api, ada.email, PASSWORD)
    await log_in(api, new_email)
    assert (await api.get(f"{API}/me/", headers=ada.headers)).json()["email"] == new_email


async def test_an_email_change_to_a_taken_address_fails(
    api: Client, mailboxes: Mailboxes, ada: Someone, place: Place
) -> None:
    taken, free = address(), address()
    for email in (taken, free):
        requested = {"new_email": email, "current_password": PASSWORD}
        if email == taken:
            await sign_up(api, email)
            await ask(api, "/activate", token=token_of(await mailboxes.wait_for(email, "Activate")))
        assert (await api.post(f"{API}/me/email/", json=requested, headers=ada.headers)).status_code == 204
    await mailboxes.wait_for(taken, "have an account at Chat already")
    assert mailboxes.to(taken, "Confirm") == []
    # Taken between the mail and its link.
    letter = await mailboxes.wait_for(free, "Confirm")
    await sign_up(api, free)
    await ask(api, "/activate", token=token_of(await mailboxes.wait_for(free, "Activate")))
    problem(await api.post(f"{API}/confirm-email/", json={"token": token_of(letter)}), 409, "email_taken")


async def test_one_of_several_uses_of_a_mailed_token_succeeds(api: Client, mailboxes: Mailboxes, ada: Someone) -> None:
    email = address()
    await sign_up(api, email)
    activation = token_of(await mailboxes.wait_for(email, "Activate"))
    answers = await asyncio.gather(*(api.post(f"{API}/activate/", json={"token": activation}) for _ in range(6)))
    assert Counter(one.status_code for one in answers) == {204: 1, 400: 5}
    await ask(api, "/forgot-password", email=ada.email)
    token = token_of(await mailboxes.wait_for(ada.email, "Choose a new password"))
    wanted = [f"the new password, number {number}" for number in range(6)]
    answers = await asyncio.gather(
        *(
            api.post(f"{API}/forgot-password-confirm/", json={"token": token, "new_password": new_password})
            for new_password in wanted
        )
    )
    assert Counter(one.status_code for one in answers) == {204: 1, 400: 5}
    [won] = [password for password, one in zip(wanted, answers, strict=True) if one.status_code == 204]
    await log_in(api, ada.email, won)


async def test_a_mailed_token_expires_and_serves_one_purpose(
    api: Client, mailboxes: Mailboxes, ada: Someone, database: Database
) -> None:
    await ask(api, "/forgot-password", email=ada.email)
    token = token_of(await mailboxes.wait_for(ada.email, "Choose a new password"))
    for path in ("/activate/", "/confirm-email/"):
        problem(await api.post(API + path, json={"token": token}), 400, "invalid_mailed_token")
    async with database.transaction() as session:
        kept = await session.get(MailedTokenRow, hashlib.sha256(token.encode()).digest())
        assert kept is not None
        assert 3_500 < (kept.expires_at - datetime.now(UTC)).total_seconds() <= 3_600
        kept.expires_at = kept.expires_at.replace(year=2020)
        await session.flush()
    body = {"token": token, "new_password": NEW}
    problem(await api.post(f"{API}/forgot-password-confirm/", json=body), 400, "invalid_mailed_token")


async def test_a_login_from_a_new_device_is_mailed_once(api: Client, mailboxes: Mailboxes, ada: Someone) -> None:
    await log_in(api, ada.email)
    await log_in(
        api, ada.email, **{"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2) Version/17.2 Mobile Safari/604.1"}
    )
    letter = await mailboxes.wait_for(ada.email, "new device")
    assert "Safari on iOS" in " ".join(text_of(letter).split())
    await log_in(api, ada.email, **{"user-agent": "Browser/17.3 (Phone)"})
    await log_in(api, ada.email, **{"user-agent": "Another"})
    await ask(api, "/forgot-password", email=ada.email)
    await mailboxes.wait_for(ada.email, "Choose")
    assert len(mailboxes.to(ada.email, "new device")) == 1


async def test_one_mailbox_gets_at_most_five_mails_an_hour_from_strangers(api: Client, mailboxes: Mailboxes) -> None:
    victim = address()
    for number in range(8):
        await sign_up(api, victim, f"a password of mine, number {number}")
    last = address()
    await sign_up(api, last)
    await mailboxes.wait_for(last, "Activate")
    assert len(mailboxes.to(victim)) == 5
