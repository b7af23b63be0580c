"""`chat broadcast` asks on a terminal before it reaches users, and `--dry-run` shows whom it would reach."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from tests.cli.conftest import Cast
from tests.support.command import chat
from tests.support.servers import count

ANNOUNCEMENT = ("broadcast", "Maintenance", "--text", "Away at ten.")


def stored(cast: Cast) -> int:
    return count(cast.settings.libpq_url, "SELECT count(*) FROM broadcasts")


def test_a_dry_run_says_whom_it_would_reach_and_sends_nothing(cast: Cast) -> None:
    done = chat(cast.settings, *ANNOUNCEMENT, "--dry-run", "--mail")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("To everybody: 3 users who can log in, and as many mails, 10 a second, at 20")
    facts = json.loads(chat(cast.settings, *ANNOUNCEMENT, "--dry-run", "--json", "--to", "operators").stdout)
    assert (facts["to"], facts["mail"], facts["users"]) == ("operators", False, 1)
    assert stored(cast) == 0
    assert count(cast.settings.libpq_url, "SELECT count(*) FROM audit_log") == 0


def test_a_dry_run_refuses_what_the_broadcast_itself_would_refuse(cast: Cast) -> None:
    done = chat(cast.settings, *ANNOUNCEMENT, "--dry-run", "--to", str(UUID(int=7)))
    assert done.returncode == 1
    assert done.stderr.startswith("chat: ")
    past = chat(cast.settings, *ANNOUNCEMENT, "--dry-run", "--at", "2020-05-04T09:00:00Z")
    assert (past.returncode, past.stdout) == (1, "")


def test_a_terminal_is_asked_and_no_sends_nothing(cast: Cast) -> None:
    done = chat(cast.settings, *ANNOUNCEMENT, typed="n\n")
    assert done.returncode == 1
    assert "To everybody: 3 users who can log in, at 20" in done.stdout
    assert "Send it? [y/N]" in done.stderr
    assert done.stderr.endswith("chat: Nothing was sent.\n")
    assert stored(cast) == 0


def test_yes_at_the_terminal_sends_it(cast: Cast) -> None:
    done = chat(cast.settings, *ANNOUNCEMENT, typed="y\n")
    assert done.returncode == 0, done.stderr
    assert stored(cast) == 1


@pytest.mark.parametrize("typed", [None, ""], ids=["script", "--yes"])
def test_neither_a_script_nor_yes_is_asked(cast: Cast, typed: str | None) -> None:
    done = chat(cast.settings, *ANNOUNCEMENT, *(() if typed is None else ("--yes",)), typed=typed)
    assert (done.returncode, done.stderr) == (0, "")
    assert stored(cast) == 1
