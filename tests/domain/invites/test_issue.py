"""Operators create, list and revoke invites over HTTP. The token is in the answer of the creation and nowhere else."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.db import Database
from app.domain.audit.models import AuditEntry
from app.domain.errors import Conflict
from app.domain.invites import issue
from app.domain.orm import uuid7
from app.domain.users.models import Invite
from app.settings import Settings
from tests.support.factories import now
from tests.support.invites import apply, change, make_invite, uses_of
from tests.support.operators import promote
from tests.support.web import API, Client, Someone, join, problem, running

INVITES = f"{API}/ops/invites/"
DAY = 24


@pytest.fixture
async def root(api: Client, settings: Settings) -> Someone:
    person = await join(api, "Root")
    promote(settings.database_url, person.email)
    return person


async def create(api: Client, root: Someone, **fields: object) -> dict[str, Any]:
    answer = await api.post(INVITES, json=fields, headers=root.headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def listed(api: Client, root: Someone) -> dict[str, dict[str, Any]]:
    """All invites by id, walked in small pages."""
    found: dict[str, dict[str, Any]] = {}
    cursor: dict[str, str] = {}
    while True:
        page = (await api.get(INVITES, params={"limit": 2, **cursor}, headers=root.headers)).json()
        found |= {one["id"]: one for one in page["items"]}
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


async def test_an_invite_without_fields_is_for_one_account_within_a_week(api: Client, root: Someone) -> None:
    made = await create(api, root)
    assert made["link"] == f"http://127.0.0.1:8000/#/invite/{made['token']}"
    assert len(made["token"]) == 43
    lifetime = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert lifetime == pytest.approx(timedelta(days=7), abs=timedelta(seconds=1))
    assert made == made | {
        "state": "open",
        "note": "",
        "for_one_address": False,
        "max_uses": 1,
        "uses": 0,
        "created_by": root.id,
    }


async def test_a_front_end_receives_the_token_behind_the_fragment(settings: Settings, root: Someone) -> None:
    async with running(settings, frontend_url="https://example.org/talk") as client:
        made = await create(client, root)
    assert made["link"] == f"https://example.org/talk/invite#token={made['token']}"


async def test_the_list_has_every_invite_with_its_state_and_no_token(
    api: Client, root: Someone, by_invite: Client, database: Database
) -> None:
    names = ("open", "used_up", "expired", "revoked")
    made = {name: await create(api, root, note=name) for name in names}
    assert (await apply(by_invite, made["used_up"]["token"])).status_code == 201
    await change(database, made["expired"]["id"], expires_at=now() - timedelta(seconds=1))
    answer = await api.delete(f"{INVITES}{made['revoked']['id']}/", headers=root.headers)
    assert (answer.status_code, answer.content) == (204, b"")
    found = await listed(api, root)
    assert {name: found[one["id"]]["state"] for name, one in made.items()} == {name: name for name in names}
    assert {name: found[one["id"]]["uses"] for name, one in made.items()} == dict.fromkeys(names, 0) | {"used_up": 1}
    assert set(found[made["open"]["id"]]) == set(made["open"]) - {"token", "link"}
    newest = [one for one in found if one in {two["id"] for two in made.values()}]
    assert newest == [one["id"] for one in reversed(made.values())]


async def test_only_digests_of_the_token_and_the_address_are_stored(
    api: Client, root: Someone, database: Database
) -> None:
    address = f"{uuid7()}@example.org"
    made = await create(api, root, email=address)
    assert made["for_one_address"] is True
    async with database.transaction() as session:
        row = (await session.execute(select(Invite.__table__).where(Invite.id == made["id"]))).one()
        entry = (await session.execute(select(AuditEntry.details).where(AuditEntry.subject == made["id"]))).one()
    assert row.digest == hashlib.sha256(made["token"].encode()).digest()
    for secret in (made["token"], address):
        assert secret not in repr(row)
        assert secret not in repr(entry)


async def test_creating_and_revoking_are_in_the_audit_log_once(api: Client, root: Someone) -> None:
    made = await create(api, root, max_uses=20, expires_in_hours=3 * DAY)
    for _ in range(2):
        assert (await api.delete(f"{INVITES}{made['id']}/", headers=root.headers)).status_code == 204
    page = await api.get(f"{API}/ops/audit/", params={"subject": made["id"]}, headers=root.headers)
    facts = {"max_uses": 20, "expires_in_hours": 72, "for_one_address": False}
    assert [(one["action"], one["by"], one["details"]) for one in page.json()["items"]] == [
        ("invite.revoked", root.id, {}),
        ("invite.created", root.id, facts),
    ]


async def test_an_unknown_invite_cannot_be_revoked(api: Client, root: Someone) -> None:
    problem(await api.delete(f"{INVITES}{uuid7()}/", headers=root.headers), 404, "not_found")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"max_uses": 0}, ["max_uses"]),
        ({"max_uses": 1_001}, ["max_uses"]),
        ({"max_uses": "3"}, ["max_uses"]),
        ({"expires_in_hours": 0}, ["expires_in_hours"]),
        ({"expires_in_hours": 90 * DAY + 1}, ["expires_in_hours"]),
        ({"note": "x" * 201}, ["note"]),
        ({"note": "two\nlines"}, ["note"]),
        ({"note": "\u202eevil"}, ["note"]),
        ({"email": "ada"}, ["email"]),
        ({"email": "ada@example.org", "max_uses": 2}, ["max_uses"]),
        ({"token": "mine"}, ["token"]),
    ],
)
async def test_a_field_out_of_its_bounds_is_refused_by_name(
    api: Client, root: Someone, fields: dict[str, object], named: list[str]
) -> None:
    refused = problem(await api.post(INVITES, json=fields, headers=root.headers), 400, "invalid")
    assert [one["field"] for one in refused["errors"]] == named


async def test_the_greatest_values_are_accepted(api: Client, root: Someone) -> None:
    made = await create(api, root, max_uses=1_000, expires_in_hours=90 * DAY, note="x" * 200)
    assert (made["max_uses"], len(made["note"])) == (1_000, 200)


async def test_only_open_invites_count_towards_the_limit(
    by_invite: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.transaction() as session:
        known = await session.scalar(issue.count_open())
    monkeypatch.setattr(issue, "MAX_OPEN_INVITES", (known or 0) + 2)
    first, second = [await make_invite(database) for _ in range(2)]
    with pytest.raises(Conflict, match="too_many_invites"):
        await make_invite(database)
    await change(database, first.id, expires_at=now() - timedelta(seconds=1))
    third = await make_invite(database)
    assert (await apply(by_invite, second.token)).status_code == 201
    assert await uses_of(database, second) == 1
    await make_invite(database)
    with pytest.raises(Conflict, match="too_many_invites"):
        await make_invite(database)
    await change(database, third.id, revoked_at=now())
    await make_invite(database)
