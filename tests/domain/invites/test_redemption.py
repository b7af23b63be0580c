"""Registration by invite: who may register, what an invite admits, and that a refusal reveals nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from httpx import Response
from sqlalchemy import select

from app.db import Database
from app.domain.audit.models import AuditEntry
from app.domain.orm import uuid7
from app.settings import Settings
from tests.support.factories import now
from tests.support.invites import apply, change, make_invite, revoke, uses_of
from tests.support.web import API, Client, log_in, problem, register, running

UNSEEN = ("date", "x-request-id")


def seen(answer: Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    return answer.status_code, answer.content, [pair for pair in answer.headers.items() if pair[0] not in UNSEEN]


async def check(client: Client, token: str) -> Response:
    return await client.post(f"{API}/invites/check/", json={"token": token})


@pytest.mark.parametrize("mode", ["open", "invite", "closed"])
async def test_the_mode_of_registration_is_public(settings: Settings, mode: str) -> None:
    async with running(settings, registration=mode) as client:
        answer = await client.get(f"{API}/registration/")
        assert (answer.status_code, answer.json()) == (200, {"mode": mode})


async def test_an_invite_admits_as_many_accounts_as_it_has_uses(by_invite: Client, database: Database) -> None:
    invite = await make_invite(database, max_uses=2)
    for uses in (1, 2):
        answer = await apply(by_invite, invite.token)
        assert answer.status_code == 201, answer.text
        await log_in(by_invite, answer.json()["email"])
        assert await uses_of(database, invite) == uses
    problem(await apply(by_invite, invite.token), 403, "invalid_invite")
    assert await uses_of(database, invite) == 2


async def test_without_an_invite_a_taken_address_is_refused_like_a_free_one(by_invite: Client, api: Client) -> None:
    taken = (await register(api))["email"]
    for token, code in ((None, "invite_required"), ("", "invite_required"), ("unknown", "invalid_invite")):
        refused = await apply(by_invite, token, taken)
        problem(refused, 403, code)
        assert seen(refused) == seen(await apply(by_invite, token))


async def test_no_refusal_reveals_what_is_wrong_with_an_invite(by_invite: Client, database: Database) -> None:
    unknown = await apply(by_invite, "9xQfJ2mTn0VYw8sKcB4rD6uHa1Lz7PgE")
    unknown_check = await check(by_invite, "9xQfJ2mTn0VYw8sKcB4rD6uHa1Lz7PgE")
    problem(unknown, 403, "invalid_invite")
    problem(unknown_check, 404, "invalid_invite")
    revoked, expired, used_up = [await make_invite(database) for _ in range(3)]
    of_another = await make_invite(database, email=f"{uuid7()}@example.org")
    await revoke(database, revoked)
    await change(database, expired.id, expires_at=now() - timedelta(seconds=1))
    assert (await apply(by_invite, used_up.token)).status_code == 201
    for invite in (revoked, expired, used_up):
        assert seen(await check(by_invite, invite.token)) == seen(unknown_check)
    for invite in (revoked, expired, used_up, of_another):
        assert seen(await apply(by_invite, invite.token)) == seen(unknown)


async def test_the_holder_of_an_invite_reads_its_note_and_its_end(by_invite: Client, database: Database) -> None:
    invite = await make_invite(database, note="For the reading club", expires_in_hours=1)
    answer = await check(by_invite, f" {invite.token} ")
    offer = {"valid_until": invite.expires_at.isoformat().replace("+00:00", "Z"), "note": "For the reading club"}
    assert (answer.status_code, answer.json()) == (200, offer)
    assert await uses_of(database, invite) == 0


async def test_a_registration_that_fails_takes_no_use(by_invite: Client, api: Client, database: Database) -> None:
    invite = await make_invite(database)
    taken = (await register(api))["email"]
    problem(await apply(by_invite, invite.token, taken), 409, "email_taken")
    problem(await apply(by_invite, invite.token, password="password1"), 400, "common_password")
    assert await uses_of(database, invite) == 0
    assert (await apply(by_invite, invite.token)).status_code == 201


async def test_an_invite_of_one_address_admits_it_in_any_spelling(by_invite: Client, database: Database) -> None:
    local = uuid7().hex
    invite = await make_invite(database, email=f"{local}@bücher.example")
    problem(await apply(by_invite, invite.token, f"other.{local}@bücher.example"), 403, "invalid_invite")
    assert (await apply(by_invite, invite.token, f" {local.upper()}@xn--bcher-kva.example ")).status_code == 201


async def test_the_last_use_is_taken_once(by_invite: Client, database: Database) -> None:
    invite = await make_invite(database, max_uses=2)
    answers = await asyncio.gather(*(apply(by_invite, invite.token) for _ in range(6)))
    assert Counter(one.status_code for one in answers) == {201: 2, 403: 4}
    for one in answers:
        if one.status_code == 403:
            problem(one, 403, "invalid_invite")
    assert await uses_of(database, invite) == 2


async def test_the_account_of_a_use_is_in_the_audit_log(by_invite: Client, database: Database) -> None:
    invite = await make_invite(database)
    account = (await apply(by_invite, invite.token)).json()["id"]
    async with database.transaction() as session:
        query = select(AuditEntry.action, AuditEntry.by).where(AuditEntry.subject == invite.id).order_by(AuditEntry.at)
        entries = [(one.action, str(one.by)) for one in await session.execute(query)]
    assert entries == [("invite.created", "None"), ("invite.used", account)]


async def test_a_closed_chat_registers_no_one(settings: Settings, api: Client, database: Database) -> None:
    taken = (await register(api))["email"]
    invite = await make_invite(database)
    async with running(settings, registration="closed") as client:
        refused = await apply(client, None)
        problem(refused, 403, "registration_closed")
        for token, email in ((invite.token, ""), (None, taken), (invite.token, taken)):
            assert seen(await apply(client, token, email)) == seen(refused)
    assert await uses_of(database, invite) == 0


async def test_an_open_chat_reads_no_invite(api: Client, database: Database) -> None:
    invite = await make_invite(database)
    for token in (None, "unknown", invite.token):
        assert (await apply(api, token)).status_code == 201
    assert await uses_of(database, invite) == 0


@pytest.mark.parametrize("token", ["x" * 129, None, 7, ["x"]])
async def test_a_token_that_is_no_text_is_refused_by_name(by_invite: Client, token: object) -> None:
    for path, field in (("/invites/check/", "token"), ("/users/", "invite")):
        person = {"email": "ada@example.org", "password": "nuclear fission", "first_name": "Ada", "last_name": "L"}
        body = {**(person if field == "invite" else {}), field: token}
        refused = problem(await by_invite.post(API + path, json=body), 400, "invalid")
        assert [one["field"] for one in refused["errors"]] == [field]
