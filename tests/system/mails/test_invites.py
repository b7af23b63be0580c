"""Invites where accounts are activated by mail: the activation takes the use, and no answer reveals an account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest
from httpx import Response

from app.db import Database
from app.domain.orm import uuid7
from tests.support.factories import now
from tests.support.invites import apply, change, make_invite, revoke, uses_of
from tests.support.mailbox import Mailboxes, token_of
from tests.support.web import API, Client, log_in, problem, running
from tests.system.mails.conftest import Place


@pytest.fixture(scope="module")
async def by_invite(place: Place, mailboxes: Mailboxes) -> AsyncIterator[Client]:
    settings = msgspec.structs.replace(place.settings, require_activation=True, registration="invite")
    async with running(settings) as client:
        yield client


def address() -> str:
    return f"{uuid7()}@example.org"


async def registered(client: Client, mailboxes: Mailboxes, invite: str | None, email: str) -> str:
    """The token of the activation mail."""
    answer = await apply(client, invite, email)
    assert (answer.status_code, answer.json()) == (202, {"detail": "Follow the link in the mail."})
    return token_of(await mailboxes.wait_for(email, "Activate"))


async def activate(client: Client, token: str) -> Response:
    return await client.post(f"{API}/activate/", json={"token": token})


async def test_the_activation_takes_the_use(by_invite: Client, mailboxes: Mailboxes, database: Database) -> None:
    invite, email = await make_invite(database), address()
    token = await registered(by_invite, mailboxes, invite.token, email)
    assert await uses_of(database, invite) == 0
    assert (await activate(by_invite, token)).status_code == 204
    assert await uses_of(database, invite) == 1
    await log_in(by_invite, email)


async def test_a_taken_address_gets_the_answer_of_a_free_one_and_leaves_the_invite_open(
    by_invite: Client, mailboxes: Mailboxes, database: Database
) -> None:
    invite, taken = await make_invite(database, max_uses=2), address()
    assert (await activate(by_invite, await registered(by_invite, mailboxes, invite.token, taken))).status_code == 204
    offers = []
    for email in (taken, address()):
        answer = await apply(by_invite, invite.token, email)
        assert (answer.status_code, answer.json()) == (202, {"detail": "Follow the link in the mail."})
        offers.append((await by_invite.post(f"{API}/invites/check/", json={"token": invite.token})).content)
    assert offers[0] == offers[1]
    assert await uses_of(database, invite) == 1
    await mailboxes.wait_for(taken, "have an account at Chat already")


async def test_of_two_registrations_with_the_last_use_the_first_activation_wins(
    by_invite: Client, mailboxes: Mailboxes, database: Database
) -> None:
    invite, emails = await make_invite(database), [address(), address()]
    slow, quick = [await registered(by_invite, mailboxes, invite.token, email) for email in emails]
    assert (await activate(by_invite, quick)).status_code == 204
    problem(await activate(by_invite, slow), 403, "invalid_invite")
    assert await uses_of(database, invite) == 1
    # Nothing of the refused activation is kept, so its link works once the invite has a use again.
    await change(database, invite.id, max_uses=2)
    assert (await activate(by_invite, slow)).status_code == 204


async def test_an_invite_may_expire_before_the_activation_but_not_be_revoked(
    by_invite: Client, mailboxes: Mailboxes, database: Database
) -> None:
    expired, revoked = await make_invite(database), await make_invite(database)
    tokens = [await registered(by_invite, mailboxes, one.token, address()) for one in (expired, revoked)]
    await change(database, expired.id, expires_at=now() - timedelta(seconds=1))
    await revoke(database, revoked)
    assert (await activate(by_invite, tokens[0])).status_code == 204
    problem(await activate(by_invite, tokens[1]), 403, "invalid_invite")


async def test_the_mode_at_the_activation_counts(
    api: Client, by_invite: Client, place: Place, mailboxes: Mailboxes, database: Database
) -> None:
    invite, uninvited, invited = await make_invite(database), address(), address()
    without = await registered(api, mailboxes, None, uninvited)
    with_invite = await registered(by_invite, mailboxes, invite.token, invited)
    closed = msgspec.structs.replace(place.settings, require_activation=True, registration="closed")
    async with running(closed) as client:
        for token in (without, with_invite):
            problem(await activate(client, token), 403, "registration_closed")
    problem(await activate(by_invite, without), 403, "invite_required")
    assert (await activate(api, without)).status_code == 204
    assert (await activate(api, with_invite)).status_code == 204
    assert await uses_of(database, invite) == 0
