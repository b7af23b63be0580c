"""What README.md shows works as shown: its session is run as it stands, its table and its folders are the real ones."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from app.settings import Settings
from tests.docs import generate, settings_table
from tests.docs.markers import ROOT
from tests.support.processes import Api

TEXT = generate.README.read_text(encoding="utf-8")
SECONDS = 60


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def run(script: str, directory: Path) -> str:
    """What bash says on its way through `script`; fails where any command does."""
    assert shutil.which("curl"), "curl is not installed (on Debian: apt-get install curl)"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_first_conversation_runs_as_shown(api: Api, tmp_path: Path) -> None:
    (session,), (live,), (shown,), (printed,) = blocks("bash"), blocks("python"), blocks("json"), blocks("text")
    port = str(api.port)
    (tmp_path / "live.py").write_text(live.replace(":8000", f":{port}"), encoding="utf-8")
    said = run(f'{session.replace(":8000", f":{port}")}\n"{sys.executable}" live.py', tmp_path)
    lines = [line for line in said.splitlines() if line]
    registered, sent = [msgspec.json.decode(line) for line in lines if line.startswith("{")]
    assert lines[2:] == printed.splitlines()
    assert (registered["first_name"], registered["is_active"]) == ("Mary", True)
    expected = msgspec.json.decode(shown)
    assert list(sent) == list(expected)
    assert {name: sent[name] for name in stable(sent)} == {name: expected[name] for name in stable(expected)}


def stable(message: dict[str, object]) -> set[str]:
    """Fields that are the same in each run."""
    return message.keys() - {"id", "conversation", "sent_by", "sent_at", "updated_at"}


def test_the_table_has_every_setting_with_its_sentence() -> None:
    explained = settings_table.explained()
    assert explained.keys() == {field.upper() for field in Settings.__struct_fields__}
    assert [
        name
        for name, (_, sentence) in explained.items()
        if not sentence.endswith(("own.", "PORT")) and len(sentence) < 12
    ] == []
    assert generate.regenerated(generate.README) == TEXT, "make documents"


def test_documented_folders_and_existing_folders_are_the_same() -> None:
    received = {name for name in re.findall(r"^\| `([\w/]+)` \|", TEXT, re.MULTILINE) if name.islower()}
    assert [name for name in received if not (ROOT / name).is_dir()] == []
    made = {"build", "__pycache__"}
    there = {one.name for one in ROOT.iterdir() if one.is_dir() and not one.name.startswith(".")}
    there = {name for name in there if name not in made and not name.endswith(".egg-info")}
    there |= {f"app/{one.parent.name}" for one in (ROOT / "app").glob("*/__init__.py")}
    assert there - {"app"} == received


@pytest.mark.parametrize("command", ["up", "test", "demo", "check", "fmt", "help", "documents", "golden"])
def test_every_named_command_exists(command: str) -> None:
    assert re.search(rf"^{command}:.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_a_picture_of_the_house_comes_first() -> None:
    head = TEXT.partition("## ")[0]
    assert "```mermaid\nflowchart" in head
    words = head.partition("```")[0].partition("\n")[2]
    assert len(re.findall(r"\.(?=\s)", words)) == 3, "three sentences"
