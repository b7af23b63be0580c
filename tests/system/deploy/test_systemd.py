"""The units of systemd run commands that exist, and give the program time to stop."""

from __future__ import annotations

import re
import shlex
from configparser import ConfigParser
from pathlib import Path

import pytest

from app.cli import chat
from app.cli.serve import GRACE_SECONDS
from app.settings import Settings, load

ROOT = Path(__file__).resolve().parents[3]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
PROGRAM = "/opt/chat/.venv/bin/chat"
# Keys of systemd.unit(5), systemd.service(5) and systemd.exec(5); it ignores a misspelt one with a warning.
KEYS = {
    "Unit": {"Description", "Wants", "After"},
    "Service": {
        "Type", "ExecStart", "EnvironmentFile", "User", "Group", "WorkingDirectory", "StateDirectory",
        "StateDirectoryMode", "UMask", "NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectSystem",
        "ProtectHome", "CapabilityBoundingSet", "Restart", "RestartSec", "RestartPreventExitStatus", "TimeoutStopSec",
        "KillMode", "LimitNOFILE",
    },
    "Install": {"WantedBy"},
}  # fmt: skip


def read(path: Path) -> ConfigParser:
    parser = ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # documented way to keep case
    parser.read_string(path.read_text(encoding="utf-8"))
    return parser


def names(unit: ConfigParser, key: str) -> set[str]:
    return set(unit["Unit"].get(key, "").split())


def test_there_is_a_unit_for_each_process_and_the_document_names_each() -> None:
    assert [path.stem for path in UNITS] == ["chat-api", "chat-beat", "chat-migrate", "chat-worker"]
    assert [path.stem for path in UNITS if path.stem not in OPERATIONS] == []


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_has_only_keys_that_systemd_knows(path: Path) -> None:
    unit = read(path)
    for section in unit.sections():
        assert set(unit[section]) <= KEYS[section]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_runs_a_command_with_options_that_exist(path: Path) -> None:
    service = read(path)["Service"]
    program, *words = shlex.split(service["ExecStart"])
    assert program == PROGRAM
    assert words[0] == path.stem.removeprefix("chat-")
    name, found, rest = chat.resolve_command(chat.make_context("chat", list(words)), list(words))
    assert found is not None
    found.make_context(name, rest)
    assert service["WorkingDirectory"] == PROGRAM.partition("/.venv")[0], "where .env lies"


@pytest.mark.parametrize("path", [path for path in UNITS if path.stem != "chat-migrate"], ids=lambda path: path.stem)
def test_a_process_starts_after_the_migrations_and_again_when_it_ends(path: Path) -> None:
    unit = read(path)
    assert names(unit, "Wants") == names(unit, "After") == {"chat-migrate.service"}
    service = unit["Service"]
    assert (service["Restart"], service["RestartPreventExitStatus"], service["KillMode"]) == ("always", "2", "mixed")
    assert unit["Install"]["WantedBy"] == "multi-user.target"


def test_the_documented_settings_of_the_units_are_accepted() -> None:
    (block,) = re.findall(r"^```ini\n(ENVIRONMENT=production\n.*?)^```", OPERATIONS, re.MULTILINE | re.DOTALL)
    given = dict(line.partition("=")[::2] for line in block.splitlines())
    given = {name: value.replace("…", "v3n8QmZr0pLx2Tg7YbKd5HsWcJf9AeUi1oNq") for name, value in given.items()}
    settings = load(given, env_file=Path("nowhere"))
    assert set(given) <= {field.upper() for field in Settings.__struct_fields__}
    assert settings.is_production
    assert settings.log_file is None, "the journal has the log"
    assert str(settings.data_dir) == f"/var/lib/{read(UNITS[0])['Service']['StateDirectory']}"


def test_only_the_migrations_read_the_owners_password() -> None:
    assert [path.stem for path in UNITS if "EnvironmentFile" in read(path)["Service"]] == ["chat-migrate"]


def test_a_stop_has_more_time_than_the_program_takes() -> None:
    times = {path.stem: int(read(path)["Service"].get("TimeoutStopSec", "90")) for path in UNITS}
    assert times["chat-api"] > GRACE_SECONDS + 5
    assert times["chat-worker"] == 60
    assert re.search(r"exits within 20 seconds. A worker .* 60 seconds", OPERATIONS.replace("\n", " "))
