"""`chat invite` creates links by which people register, lists them without their tokens, and revokes them."""

from __future__ import annotations

import json
import re
from uuid import UUID

import psycopg
import pytest

from tests.cli.conftest import Cast
from tests.support.command import chat
from tests.support.invites import apply
from tests.support.web import API, problem, running

BY_INVITE = {"REGISTRATION": "invite", "PUBLIC_URL": "https://chat.example.org"}
LINK = r"https://chat\.example\.org/#/invite/([\w-]{43})"


async def test_a_created_link_registers_until_it_is_revoked(cast: Cast) -> None:
    made = chat(cast.settings, "invite", "create", "--uses", "5", "--days", "2", "--note", "Club", **BY_INVITE)
    assert (made.returncode, made.stderr) == (0, "")
    link, facts = made.stdout.splitlines()
    found = re.fullmatch(LINK, link)
    assert found is not None
    told = re.fullmatch(
        r"For 5 accounts, until 20[\d-]{8} \d\d:\d\d UTC\. `chat invite revoke (.{36})` ends it\.", facts
    )
    assert told is not None
    async with running(cast.settings, registration="invite") as client:
        assert (await apply(client, found[1])).status_code == 201
        revoked = chat(cast.settings, "invite", "revoke", told[1])
        assert revoked.stdout == "The invite is revoked. Accounts created with it stay.\n"
        problem(await apply(client, found[1]), 403, "invalid_invite")
        problem(await client.post(f"{API}/invites/check/", json={"token": found[1]}), 404, "invalid_invite")
    with psycopg.connect(cast.settings.libpq_url) as connection:
        query = "SELECT action, by IS NULL FROM audit_log WHERE subject = %s ORDER BY at"
        entries = connection.execute(query, [told[1]]).fetchall()
    assert entries == [("invite.created", True), ("invite.used", False), ("invite.revoked", True)]


def test_invites_are_listed_without_their_tokens(cast: Cast) -> None:
    assert chat(cast.settings, "invite", "list").stdout == "There are no invites.\n"
    plain = json.loads(chat(cast.settings, "invite", "create", "--json", **BY_INVITE).stdout)
    bound = json.loads(chat(cast.settings, "invite", "create", "--email", "new@example.org", "--json").stdout)
    assert plain["link"] == f"https://chat.example.org/#/invite/{plain['token']}"
    assert plain["created_by"] is None
    listed = chat(cast.settings, "invite", "list")
    heading, newest, first = listed.stdout.splitlines()
    assert heading.split() == ["id", "state", "used", "expires", "(UTC)", "for", "note"]
    expires = [one["expires_at"][:16].split("T") for one in (bound, plain)]
    assert newest.split() == [bound["id"], "open", "0/1", *expires[0], "one", "address", "–"]
    assert first.split() == [plain["id"], "open", "0/1", *expires[1], "anyone", "–"]
    page = json.loads(chat(cast.settings, "invite", "list", "--json").stdout)
    assert [one["id"] for one in page["items"]] == [bound["id"], plain["id"]]
    for secret in (plain["token"], bound["token"], "new@example.org"):
        assert secret not in listed.stdout + json.dumps(page)


@pytest.mark.parametrize(
    ("mode", "hint"),
    [
        ("open", "REGISTRATION is open here: people register without an invite."),
        ("closed", "REGISTRATION is closed here: the invite works once it is set to invite."),
    ],
)
def test_a_link_that_no_one_needs_says_so(cast: Cast, mode: str, hint: str) -> None:
    made = chat(cast.settings, "invite", "create", REGISTRATION=mode)
    link, facts, last = made.stdout.splitlines()
    assert "/#/invite/" in link
    assert facts.startswith("For one account, until ")
    assert last == hint


def test_a_link_leads_to_the_front_end_if_there_is_one(cast: Cast) -> None:
    made = chat(cast.settings, "invite", "create", FRONTEND_URL="https://example.org/talk", **BY_INVITE)
    assert re.fullmatch(r"https://example\.org/talk/invite#token=[\w-]{43}", made.stdout.splitlines()[0])


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("create", "--uses", "1001"), 1, "max_uses: Must be between 1 and 1,000."),
        (("create", "--days", "91"), 1, "expires_in_hours: Must be between 1 and 2,160."),
        (("create", "--email", "ada"), 1, "email: Must be an e-mail address."),
        (("create", "--uses", "0"), 2, "0 is not in the range"),
        (("revoke", str(UUID(int=7))), 1, "There is no such invite."),
        (("revoke", "mine"), 2, "mine"),
    ],
)
def test_a_wrong_call_is_a_sentence(cast: Cast, words: tuple[str, ...], code: int, sentence: str) -> None:
    done = chat(cast.settings, "invite", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert sentence in done.stderr
