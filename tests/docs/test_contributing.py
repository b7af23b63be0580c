"""CONTRIBUTING.md names the folders and commands that exist."""

from __future__ import annotations

import re

from tests.docs.markers import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_documented_folders_and_existing_folders_are_the_same() -> None:
    received = {name for name in re.findall(r"^\| `([\w/]+)` \|", TEXT, re.MULTILINE) if name.islower()}
    assert [name for name in received if not (ROOT / name).is_dir()] == []
    made = {"build", "__pycache__"}
    there = {one.name for one in ROOT.iterdir() if one.is_dir() and not one.name.startswith(".")}
    there = {name for name in there if name not in made and not name.endswith(".egg-info")}
    there |= {f"app/{one.parent.name}" for one in (ROOT / "app").glob("*/__init__.py")}
    assert there - {"app"} == received


def test_every_named_command_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ([a-z]+)", TEXT))
    assert named >= {"up", "check", "fmt", "help", "documents", "golden"}
    assert [name for name in named if not re.search(rf"^{name}:.*## ", makefile, re.MULTILINE)] == []
