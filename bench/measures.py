"""Defines a row: subjects (the product), references (for comparison), and how rounds become one figure.

Rounds of subjects and references alternate, so that disturbances on the machine affect all of them. The figure is the
median of the rounds; of several subjects the worst counts.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import msgspec

from bench.processes import Failed
from bench.stage import Pace, Stage

Measure = Callable[[float], float]
"""One round: runs for about the given number of seconds and returns the figure."""


class Row(msgspec.Struct, frozen=True):
    """One line of results.json."""

    name: str
    value: float
    unit: str
    references: dict[str, float] = {}


@dataclass(frozen=True)
class Plan:
    """How to measure one row. `least`: the smallest figure is the worst (rates); otherwise the largest is (times)."""

    unit: str
    subjects: dict[str, Measure]
    references: dict[str, Measure] = field(default_factory=dict)
    least: bool = True
    once: bool = False  # a measure that cannot be repeated: one round, no warm-up
    after: Callable[[], list[Row]] = list
    """Called after the rounds; returns additional rows."""


Prepare = Callable[[Stage], AbstractContextManager[Plan]]


class Results(msgspec.Struct, frozen=True):
    machine: str
    rows: list[Row]


def run(name: str, plan: Plan, pace: Pace, report: Callable[[str], None]) -> list[Row]:
    """Warms up every measure, then measures in alternating rounds. `report` receives a line for each median.

    Raises:
        Failed: a measure has no figure.
    """
    measures = {**plan.subjects, **plan.references}
    rounds = 1 if plan.once else pace.rounds
    if pace.warm_up and not plan.once:
        for measure in measures.values():
            measure(pace.warm_up)
    found: dict[str, list[float]] = {one: [] for one in measures}
    for _ in range(rounds):
        for one, measure in measures.items():
            found[one].append(measure(pace.seconds))
    medians = {one: statistics.median(figures) for one, figures in found.items()}
    for one, median in medians.items():
        report(f"  {one}: {median:,.4g} {plan.unit}  (of {', '.join(f'{figure:,.4g}' for figure in found[one])})")
    if silent := [one for one, median in medians.items() if not median]:
        raise Failed(f"Nothing was answered in time: {', '.join(silent)}.")
    worse = min if plan.least else max
    value = worse(medians[one] for one in plan.subjects)
    row = Row(name, value, plan.unit, {one: medians[one] for one in plan.references})
    return [_rounded(one) for one in (row, *plan.after())]


def _rounded(row: Row) -> Row:
    references = {name: float(f"{figure:.4g}") for name, figure in row.references.items()}
    return Row(row.name, float(f"{row.value:.4g}"), row.unit, references)
