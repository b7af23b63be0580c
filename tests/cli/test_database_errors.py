"""A database that does not answer is one sentence, whatever the command."""

from __future__ import annotations

import pytest

from app import cli
from tests.support.processes import ROOT

SERVER = 'chat: The database cannot be used: connection to server at "127.0.0.1", port 9 failed: Connection refused.'
NOWHERE = "postgresql://chat:canary-password@127.0.0.1:9/chat"


@pytest.mark.parametrize(
    "command", ["migrate", "reseal", "tasks failed", "tasks retry", "create-operator root@example.org"]
)
def test_a_database_that_nobody_answers_for_is_one_sentence(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], redis_url: str
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DATABASE_URL", NOWHERE)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setattr("getpass.getpass", lambda _: "a good long one")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert cli.main(command.split()) == 1
    assert capsys.readouterr().err.splitlines() == [f"{SERVER} Check DATABASE_URL and its server."]


def test_a_refused_login_and_an_unknown_host_name_the_reason_and_no_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_url: str, redis_url: str
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    server = database_url.rpartition("@")[2]
    for url, reason in (
        (f"postgresql://chat:canary-password@{server}", "password authentication failed"),
        ("postgresql://chat:canary-password@db.invalid/chat", "db.invalid"),
    ):
        monkeypatch.setenv("DATABASE_URL", url)
        assert cli.main(["migrate"]) == 1
        (sentence,) = capsys.readouterr().err.splitlines()
        assert reason in sentence
        assert "canary-password" not in sentence
