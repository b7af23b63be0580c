"""DATA_DIR and `.env`: their permissions, their format, and the errors of both."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.local.data_dir_lock import held
from app.local.processes import StartRefused
from app.settings import Settings, SettingsRefused, environment_for_child, load
from app.settings.data_dir import create_log_directory

ROOT = Path(__file__).resolve().parents[2]
SERVERS = {"DATABASE_URL": "postgres://chat@db/chat", "REDIS_URL": "redis://cache"}
PRIVATE = 0o700 if os.geteuid() else 0o711  # root's Postgres, another account, passes through


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def written(tmp_path: Path, env: bytes) -> Settings:
    (tmp_path / ".env").write_bytes(env)
    return load({"DATA_DIR": str(tmp_path / "data")}, env_file=tmp_path / ".env", embedded=True)


def test_a_new_directory_is_for_its_account_alone(tmp_path: Path) -> None:
    load({**SERVERS, "DATA_DIR": str(tmp_path / "data")}, env_file=tmp_path / ".env")
    assert mode(tmp_path / "data") == PRIVATE
    with held(tmp_path / "other"):
        assert mode(tmp_path / "other") == PRIVATE
    create_log_directory(Settings(data_dir=tmp_path / "third", log_file=tmp_path / "third" / "log" / "chat.log"))
    assert mode(tmp_path / "third") == PRIVATE


def test_an_earlier_directory_is_tightened_unless_it_is_shared(tmp_path: Path) -> None:
    earlier, shared = tmp_path / "earlier", tmp_path / "shared"
    for directory, before in ((earlier, 0o755), (shared, 0o1777)):
        directory.mkdir()
        directory.chmod(before)
        with held(directory):
            pass
    assert mode(earlier) == PRIVATE
    assert mode(shared) == 0o1777


def test_a_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    nowhere = Path("/proc/nope")
    with pytest.raises(SettingsRefused) as refused:
        load({**SERVERS, "DATA_DIR": str(nowhere)}, env_file=tmp_path / ".env")
    assert refused.value.problems == ["DATA_DIR: /proc/nope cannot be used: No such file or directory."]
    with pytest.raises(StartRefused, match="DATA_DIR: /proc/nope cannot be used"), held(nowhere):
        pass
    with pytest.raises(SettingsRefused, match="LOG_FILE: /proc/nope cannot be used"):
        create_log_directory(Settings(data_dir=tmp_path, log_file=nowhere / "chat.log"))


@pytest.mark.parametrize("verb", ["up", "api", "worker", "queues"])
def test_a_command_shows_the_sentence_and_no_traceback(verb: str) -> None:
    environment = environment_for_child(**SERVERS, DATA_DIR="/proc/nope")
    command = [sys.executable, "-m", "app.cli", verb]
    received = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert received.returncode == 2
    assert received.stderr == "chat: DATA_DIR: /proc/nope cannot be used: No such file or directory.\n"


@pytest.mark.parametrize("env", ["MAIL_FROM=é@x.example\n".encode("latin-1"), "PORT=1\n".encode("utf-16"), b"P\0O\0"])
def test_an_env_file_that_is_not_utf_8_is_a_sentence(tmp_path: Path, env: bytes) -> None:
    with pytest.raises(SettingsRefused, match=r"\.env: not UTF-8"):
        written(tmp_path, env)


def test_an_env_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    assert written(tmp_path, "\ufeffPORT=7000\n".encode()).port == 7000


def test_a_dollar_in_an_env_file_is_a_dollar(tmp_path: Path) -> None:
    given = written(tmp_path, b'SMTP_URL=smtp://u:pa${HOME}ss@mail.example\nSLACK_WEBHOOK_URL="https://h.example/$x"\n')
    assert given.smtp_url == "smtp://u:pa${HOME}ss@mail.example"
    assert given.slack_webhook_url == "https://h.example/$x"
