"""What proves the driver stays alive: one mutation is seen, and a defect that hides is not called seen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.system.chaos.mutations import MUTATIONS, declared
from tests.system.chaos.mutations.runs import Outcome, run_mutated

pytestmark = pytest.mark.fault
PATIENCE = 4.0
"""As in the bounded run: the rest of the suite runs beside."""
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "reliability.md"
COLUMNS = 7
"""With what stands before and after the first and the last bar."""
LOST = MUTATIONS["acknowledged-before-commit"]


@pytest.mark.timeout(180)
async def test_a_send_that_is_acknowledged_before_its_commit_is_seen() -> None:
    outcome = await run_mutated(LOST, PATIENCE)
    assert outcome.missing(LOST) == ""


@pytest.mark.parametrize(
    ("fired", "red", "said"),
    [
        (1, {("I1", "nothing_acknowledged_is_lost"): (1, "")}, ""),
        (0, {("I1", "nothing_acknowledged_is_lost"): (1, "")}, "never fired"),
        (1, {}, "not seen"),
        (1, {("I3", "there_is_one_order"): (1, "")}, "seen by"),
        (1, {("I2", "nothing_acknowledged_is_lost"): (1, "")}, "seen by"),
    ],
)
def test_a_mutation_counts_only_when_its_named_checker_catches_it(
    fired: int, red: dict[tuple[str, str], tuple[int, str]], said: str
) -> None:
    missing = Outcome(name=LOST.name, fired=fired, red=red, seconds=1.0).missing(LOST)
    assert missing.startswith(said)
    assert bool(missing) == bool(said)


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_mutation_fits_the_code_of_today(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it replaces exists, and is called as what stands in its place can be called."""
    defect = MUTATIONS[name].defect
    replaced: list[str] = []

    def replace_for_this_test(owner: object, attribute: str, make: Callable[[Any], Any]) -> None:
        monkeypatch.setattr(owner, attribute, getattr(owner, attribute))  # restored at the end
        declared.replace(owner, attribute, make)
        replaced.append(attribute)

    monkeypatch.setattr(sys.modules[defect.__module__], "replace", replace_for_this_test)
    defect()
    assert replaced


def test_the_document_names_every_mutation_with_its_checker() -> None:
    document = DOCUMENT.read_text(encoding="utf-8").splitlines()
    received = {cells[1].strip(): cells[3].strip() for line in document if len(cells := line.split("|")) == COLUMNS}
    assert received.items() >= {one.says: f"`{one.caught}`" for one in MUTATIONS.values()}.items()


def test_every_mutation_says_what_it_breaks() -> None:
    assert [one.name for one in MUTATIONS.values() if not one.says] == []
    assert len({one.says for one in MUTATIONS.values()}) == len(MUTATIONS)
