"""What the pages refer to is there: files, sections, commands, queues, settings. And nothing private is in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from app.cli import chat
from app.cli.serve import GRACE_SECONDS
from app.realtime.hub.hub_queries import CONNECTIONS
from app.settings import Settings
from app.store.message_writer import CONCURRENT_BATCHES as WRITES
from app.tasks.celery_app import KINDS, VISIBILITY
from app.telemetry.logging import FILE_BYTES, FILES_KEPT
from app.wiring.runtime import POOL_SIZE
from tests.docs.markers import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
PRIVATE = re.compile(r"/root\b|/tmp/|/home/|:5599|:6599")


def slug(heading: str) -> str:
    """A section's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def sections(page: Path) -> set[str]:
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", prose, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_resolves(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        assert not anchor or anchor in sections(file), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_says_nothing_of_this_machine_and_names_no_registry(page: Path) -> None:
    assert PRIVATE.findall(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_is_whole(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert text.endswith("\n")
    assert len(re.findall(r"^```", text, re.MULTILINE)) % 2 == 0
    for row in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.split(r"(?<!\\)\|", line)) for line in row.splitlines()}
        assert len(widths) == 1, row[:200]


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index


def test_documented_commands_and_existing_commands_are_the_same() -> None:
    received = set(re.findall(r"`chat ([a-z][a-z-]*)", OPERATIONS))
    assert received <= set(chat.commands)
    assert set(chat.commands) - received == {"asyncapi", "demo", "openapi"}


def test_documented_queues_and_existing_queues_are_the_same() -> None:
    table = OPERATIONS.split("## Queues")[1].split("\n\n")[1]
    assert set(re.findall(r"`(\w+)`", table)) == set(KINDS)


def test_every_named_setting_exists() -> None:
    known = {field.upper() for field in Settings.__struct_fields__} | {
        "LC_CTYPE",
        "POSTGRES_APP_PASSWORD",
        "POSTGRES_PASSWORD",
        "VALKEY_PASSWORD",
    }
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", page.read_text(encoding="utf-8")))
        assert named - known == set(), page.name


def test_the_numbers_are_those_of_the_program() -> None:
    assert f"up to {POOL_SIZE + WRITES + CONNECTIONS} connections" in OPERATIONS
    assert (FILE_BYTES, FILES_KEPT) == (10_000_000, 5)
    assert "10 MB, five older ones" in OPERATIONS
    assert VISIBILITY == 300
    assert "after five minutes" in OPERATIONS
    assert GRACE_SECONDS < 20


def test_statements_about_the_deployment_files_are_true() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    postgres, valkey = compose["services"]["postgres"], compose["services"]["valkey"]
    assert postgres["image"].startswith("postgres:18")
    assert "max_connections=200" in postgres["command"]
    assert "volatile-lru" in valkey["command"]
    assert set(compose["volumes"]) == {"postgres", "valkey"}
    assert compose["services"]["web"]["ports"] == ["127.0.0.1:8000:8000"]
    render = yaml.safe_load((ROOT / "render.yaml").read_text(encoding="utf-8"))
    assert render["databases"][0]["postgresMajorVersion"] == "17"
    prompted = {entry["key"] for entry in render["services"][0]["envVars"] if entry.get("sync") is False}
    values = OPERATIONS.partition("Render prompts for four values")[2].partition("\n\nThe web service")[0]
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", values, re.MULTILINE)) == prompted
