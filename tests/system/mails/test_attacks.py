"""What strangers tried with addresses and mails: other spellings, other people's registrations, other people's mail."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.db import Database
from app.domain.accounts import profile
from app.domain.accounts.account_mail import MailContent, compose
from app.domain.auth import mailed_tokens
from app.domain.auth.passwords import Passwords
from app.domain.errors import Invalid
from app.domain.mails import outbox
from app.domain.mails.models import Mail
from app.domain.mails.outbox import Claimed
from app.domain.orm import uuid7
from app.domain.users.models import User
from app.tasks.letters.renderer import MailRenderer
from tests.support.logins import alive
from tests.support.mailbox import Mailboxes, text_of, token_of
from tests.support.web import API, PASSWORD, Client, Someone, log_in, problem
from tests.system.mails.conftest import PUBLIC_URL
from tests.system.mails.test_account_flows import ada, address, ask, refused, sign_up

__all__ = ["ada"]


@pytest.mark.parametrize("variant", ["\u0130", "\u212a", "\uff49", "\ufb01", "\u2160"])
@pytest.mark.parametrize("path", ["/users", "/forgot-password", "/resend-activation"])
async def test_an_address_with_lookalike_letters_is_refused(api: Client, variant: str, path: str) -> None:
    """For Postgres `İ` is a capital i: its owner would be mailed the tokens of others (CVE-2019-19844)."""
    for email in (f"v{variant}ctim@example.org", f"victim@g{variant}thub.example.org"):
        body = {"email": email}
        if path == "/users":
            body |= {"password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace"}
        problem(await api.post(f"{API}{path}/", json=body), 400, "invalid")


async def test_a_lookalike_spelling_does_not_log_in(api: Client, mailboxes: Mailboxes) -> None:
    email = f"kiki.{uuid7()}@example.org"
    await sign_up(api, email)
    await ask(api, "/activate", token=token_of(await mailboxes.wait_for(email, "Activate")))
    for typed in (email.replace("i", "\u0130", 1), email.replace("k", "\u212a", 1)):
        await refused(api, typed, PASSWORD)
    await log_in(api, email.upper())


async def test_mails_go_to_the_stored_address(api: Client, mailboxes: Mailboxes, ada: Someone) -> None:
    await ask(api, "/forgot-password", email=ada.email.upper())
    letter = await mailboxes.wait_for(ada.email, "Choose")
    assert letter["To"] == ada.email
    assert mailboxes.to(ada.email.upper()) == []


@pytest.mark.parametrize("local", ["=?utf-8?q?=66lood?=", "=?utf-8?q?victim=40example.net=2C?=", "=?x?q?=00?="])
async def test_an_address_that_hides_a_header_is_refused(api: Client, local: str) -> None:
    person = {"email": f"{local}@example.org", "password": PASSWORD, "first_name": "A", "last_name": "B"}
    problem(await api.post(f"{API}/users/", json=person), 400, "invalid")


async def test_resending_never_mails_the_registration_of_a_stranger(api: Client, mailboxes: Mailboxes) -> None:
    email = address()
    await sign_up(api, email, PASSWORD)
    await sign_up(api, email, "the password of a stranger")
    await ask(api, "/resend-activation", email=email)
    letter = await mailboxes.wait_for(email, "register at Chat again")
    assert "#" not in text_of(letter)


async def test_a_registration_reveals_nothing_about_the_address(
    api: Client, mailboxes: Mailboxes, ada: Someone
) -> None:
    for email in (ada.email, address()):
        await sign_up(api, email, "a password of a stranger's own")
        await refused(api, email, "a password of a stranger's own", 403, "not_activated")
        await refused(api, email, "another")
    await log_in(api, ada.email)


async def test_resend_requests_leave_the_quota_of_password_resets(
    api: Client, mailboxes: Mailboxes, ada: Someone
) -> None:
    for _ in range(8):
        await ask(api, "/resend-activation", email=ada.email)
    await ask(api, "/forgot-password", email=ada.email)
    await mailboxes.wait_for(ada.email, "Choose")


async def test_a_password_change_cancels_an_email_change_whose_mail_is_queued(
    api: Client, database: Database, ada: Someone, mailboxes: Mailboxes
) -> None:
    own = await _row(database, ada)
    mail = Claimed(
        id=uuid7(),
        kind="confirm_email",
        address=address(),
        user=own.id,
        registration=None,
        facts={"first_name": "Ada", "credentials": str(own.credentials)},
        attempts=1,
        posted_at=datetime.now(UTC),
    )
    async with database.transaction() as session:
        assert isinstance(await compose(session, mail), MailContent)
    change = {"current_password": PASSWORD, "new_password": "a new one, and better"}
    assert (await api.post(f"{API}/reset-password/", json=change, headers=ada.headers)).status_code == 204
    async with database.transaction() as session:
        assert await compose(session, mail) == "gone"


async def test_a_token_minted_during_a_credential_change_is_invalid(database: Database, ada: Someone) -> None:
    """The task that sends the mail reads the account, then the account changes, then the token is committed."""
    own = await _row(database, ada)
    async with database.transaction() as session:
        await session.execute(update(User).where(User.id == own.id).values(credentials=User.credentials + 1))
    async with database.transaction() as session:
        late = await mailed_tokens.mint(session, "password", user=own.id, credentials=own.credentials)
        good = await mailed_tokens.mint(session, "password", user=own.id, credentials=own.credentials + 1)
    async with database.transaction() as session:
        assert (await mailed_tokens.find(session, good, "password")).user == own.id
        with pytest.raises(Invalid):
            await mailed_tokens.find(session, late, "password")


async def test_promoting_an_operator_ends_the_accounts_logins_and_mailed_tokens(
    api: Client, mailboxes: Mailboxes, database: Database, ada: Someone
) -> None:
    await ask(api, "/forgot-password", email=ada.email)
    token = token_of(await mailboxes.wait_for(ada.email, "Choose"))
    passwords = Passwords(memory=64, passes=1)
    async with database.transaction() as session:
        await profile.create_operator(
            session,
            email=ada.email,
            password="an operator's password",
            first_name="Ada",
            last_name="L",
            passwords=passwords,
        )
    passwords.close()
    assert not await alive(api, ada)
    body = {"token": token, "new_password": PASSWORD}
    problem(await api.post(f"{API}/forgot-password-confirm/", json=body), 400, "invalid_mailed_token")


async def test_a_claimed_mail_of_a_closed_account_is_not_retried(database: Database, ada: Someone) -> None:
    async with database.transaction() as session:
        await outbox.post(session, "welcome", ada.email, user=UUID(ada.id), first_name="Ada")
        newest = select(Mail.id).where(Mail.user_id == UUID(ada.id)).order_by(Mail.id.desc()).limit(1)
        mail = (await session.scalars(newest)).one()
    async with database.transaction() as session:
        claimed = await outbox.claim(session, mail)
        assert claimed is not None
    async with database.transaction() as session:
        await outbox.withdraw(session, UUID(ada.id))
    async with database.transaction() as session:
        await outbox.postpone(session, claimed)
    async with database.transaction() as session:
        row = await session.get_one(Mail, mail)
        assert (row.outcome, row.address, row.facts) == ("account closed", "", {})


async def test_a_mail_does_not_quote_the_user_agent(api: Client, mailboxes: Mailboxes, ada: Someone) -> None:
    words = "Firefox/1 Windows. Your account is locked: verify.evil.example/now, call 0900 123456 " + "x" * 5_000
    await log_in(api, ada.email, **{"user-agent": words})
    received = text_of(await mailboxes.wait_for(ada.email, "new device"))
    assert "Firefox on Windows" in " ".join(received.split())
    for word in ("evil", "locked", "0900", "xxx"):
        assert word not in received


@pytest.mark.parametrize("name", ["https://spam.example <b>win</b>", "Call 0900 123456", "a b c d e", "www.x.example"])
def test_a_greeting_uses_only_a_plausible_name(name: str) -> None:
    assert [greeting(one) for one in ("Ada", "Jean-Luc O’Neill", "Мария", "José María del Mar")] == [
        "Hello Ada,",
        "Hello Jean-Luc O’Neill,",
        "Hello Мария,",
        "Hello José María del Mar,",
    ]
    assert greeting(name) == "Hello,"


def greeting(name: str) -> str:
    letter = MailContent(template="account_closed", address="ada@example.org", facts={"first_name": name})
    return MailRenderer(PUBLIC_URL, "chat@example.org").render(letter, datetime.now(UTC)).text.splitlines()[0]


async def test_name_changes_are_throttled(api: Client, ada: Someone) -> None:
    answers = [
        await api.patch(f"{API}/me/", json={"first_name": f"Ada{number}"}, headers=ada.headers) for number in range(12)
    ]
    assert [one.status_code for one in answers] == [200] * 10 + [429] * 2
    same = await api.patch(f"{API}/me/", json={"first_name": "Ada9"}, headers=ada.headers)
    assert same.status_code == 200


async def _row(database: Database, person: Someone) -> User:
    async with database.transaction() as session:
        return await session.get_one(User, UUID(person.id))
