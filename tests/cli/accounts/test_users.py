"""Commands about accounts do what the operators' routes do, and leave the same entries in the audit log."""

from __future__ import annotations

import json
from uuid import UUID

import psycopg

from tests.cli.conftest import Cast
from tests.support.client import PASSWORD
from tests.support.command import chat
from tests.support.servers import count


def audit(cast: Cast) -> list[tuple[str, UUID | None, UUID | None, dict[str, object]]]:
    with psycopg.connect(cast.settings.libpq_url) as connection:
        return connection.execute("SELECT action, by, subject, details FROM audit_log ORDER BY at, id").fetchall()


def test_accounts_are_found_by_name_address_and_id_and_the_look_up_is_recorded(cast: Cast) -> None:
    found = chat(cast.settings, "users", "find", "lovelace")
    assert found.returncode == 0, found.stderr
    heading, row = found.stdout.splitlines()
    assert heading.split() == ["id", "name", "state", "created", "conversations", "logins", "last", "used"]
    assert row.split()[:4] == [str(cast.ada), "Ada", "Lovelace", "active"]
    for search, who in (("eve@example.org", cast.eve), (str(cast.root), cast.root)):
        page = json.loads(chat(cast.settings, "users", "find", search, "--json").stdout)
        assert [one["id"] for one in page["items"]] == [str(who)]
    assert [(action, by, subject, details["search"]) for action, by, subject, details in audit(cast)] == [
        ("accounts.looked_up", None, cast.ada, "name"),
        ("accounts.looked_up", None, cast.eve, "email"),
        ("accounts.looked_up", None, cast.root, "id"),
    ]
    assert chat(cast.settings, "users", "find", "nobody").stdout == "No account was found.\n"


def test_a_list_of_accounts_shows_no_address(cast: Cast) -> None:
    listed = chat(cast.settings, "users", "find")
    assert len(listed.stdout.splitlines()) == 5
    assert "active, operator" in listed.stdout
    assert "suspended" in listed.stdout
    assert "@" not in listed.stdout


def test_an_account_is_suspended_and_restored_with_its_reason_in_the_audit_log(cast: Cast) -> None:
    suspended = chat(cast.settings, "suspend", "ada@example.org", "--reason", "Spam in three groups")
    assert suspended.stdout == "ada@example.org is suspended. `chat restore ada@example.org` undoes it.\n"
    shown = chat(cast.settings, "users", "show", "ada@example.org")
    assert "  state          suspended since 20" in shown.stdout
    assert "account.suspended by the command line, reason: Spam in three groups" in shown.stdout
    again = chat(cast.settings, "suspend", str(cast.ada), "--reason", "Again")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("chat: ")
    assert chat(cast.settings, "restore", "ada@example.org").returncode == 0
    facts = json.loads(chat(cast.settings, "users", "show", str(cast.ada), "--json").stdout)
    assert facts["account"]["suspended_at"] is None
    assert [entry["action"] for entry in facts["audit"]][:2] == ["account.restored", "accounts.looked_up"]
    changes = [entry for entry in audit(cast) if entry[0] != "accounts.looked_up"]
    assert changes == [
        ("account.suspended", None, cast.ada, {"reason": "Spam in three groups"}),
        ("account.restored", None, cast.ada, {}),
    ]


def test_an_unknown_account_is_a_sentence(cast: Cast) -> None:
    for words in (
        ("users", "show", "nobody@example.org"),
        ("users", "show", str(UUID(int=7))),
        ("suspend", "nobody@example.org", "--reason", "x"),
        ("restore", str(UUID(int=7))),
    ):
        done = chat(cast.settings, *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("chat: ")
        assert len(done.stderr.splitlines()) == 1


def test_making_an_operator_twice_says_so(cast: Cast) -> None:
    said = []
    for _ in range(2):
        done = chat(cast.settings, "create-operator", "new@example.org", script=f"{PASSWORD}\n")
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said == [
        "new@example.org is an operator now. Earlier logins of the account have ended.\n",
        "new@example.org was an operator already: the password is replaced, and all its logins have ended.\n",
    ]
    query = "SELECT count(*) FROM users WHERE email = 'new@example.org' AND is_operator"
    assert count(cast.settings.libpq_url, query) == 1
