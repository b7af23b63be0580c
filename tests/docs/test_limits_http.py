"""The HTTP limits of docs/limits.md equal the constants and name existing tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import ModuleType

import pytest

from app.api.errors import body_faults
from app.domain.messages import history
from app.server import limits, peer_counts
from app.settings import Settings
from app.telemetry import redaction, request_log

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/limits.md").read_text(encoding="utf-8")
HTTP = TEXT.partition("\n## HTTP\n")[2].partition("\n## ")[0]
LINES = [line for line in HTTP.splitlines() if line.startswith("|") and "`tests/" in line]
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in LINES]
CONSTANT = re.compile(r"`([a-z]+)\.([A-Z_]+)`")
MODULES: dict[str, ModuleType] = {
    "faults": body_faults,
    "limits": limits,
    "pages": history,
    "peers": peer_counts,
    "redaction": redaction,
    "requests": request_log,
}


def constants() -> list[tuple[str, str, str]]:
    """(module, name, the sentence about it)."""
    return [(module, name, row[1]) for row in ROWS for module, name in CONSTANT.findall(row[0])]


@pytest.mark.parametrize(("module", "name", "sentence"), constants())
def test_a_limit_is_what_the_program_has(module: str, name: str, sentence: str) -> None:
    value = getattr(MODULES[module], name)
    assert f"{value:,}" in sentence or f"{value:g} s" in sentence, (name, value)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_every_limit_of_http_names_an_existing_test(row: list[str]) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row[3])
    assert named and len(row) == 4
    for file, name in named:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_limit_of_http_is_in_the_table() -> None:
    said = {name for module, name, _ in constants() if module == "limits"}
    known = {name for name, value in vars(limits).items() if name.isupper() and isinstance(value, int | float)}
    # Said with the limit that they belong to.
    assert known - said == {"UNREAD_STEP", "LINGER_SECONDS", "MOST_FILES"}


def test_the_setting_of_the_table_has_the_default_that_it_says() -> None:
    (row,) = (row for row in ROWS if "`CONNECTIONS_PER_ADDRESS`" in row[0])
    assert row[1] == str(Settings().connections_per_address)
