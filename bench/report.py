"""Publishes the figures: a table on the console and in docs/performance.md, a chart beside it, and results.json."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.chart import svg
from bench.measures import Results, Row
from bench.processes import ROOT

RESULTS = ROOT / "bench" / "results.json"
DOCUMENT = ROOT / "docs" / "performance.md"
CHART = ROOT / "docs" / "performance.svg"
BEGIN, END = "<!-- made by `make bench`: begin -->", "<!-- made by `make bench`: end -->"
NOTHING = "Nothing has been measured yet: `make bench` writes this."


def machine() -> str:
    """Returns the processor, system and Python version, without a host name or a path."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model n")]
        model = named[0] if named else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


class Aim(msgspec.Struct, frozen=True):
    text: str
    met: Callable[[Row], bool]


def _ratio(row: Row, reference: str) -> float:
    return row.value / row.references[reference] if row.references.get(reference) else 0.0


AIMS = {
    "send_64": Aim(
        "≥ 3,000, or 25 % of Litestar alone", lambda r: r.value >= 3_000 or _ratio(r, "litestar_alone") >= 0.25
    ),
    "send_64_notified": Aim("≥ 0.95 × naming nobody", lambda r: _ratio(r, "naming_nobody") >= 0.95),
    "send_1_p50_ms": Aim(
        "≤ 2, or 10 × Postgres alone", lambda r: r.value <= 2 or 0 < _ratio(r, "postgres_alone") <= 10
    ),
    "page_50": Aim(
        "≥ 4,000, or 33 % of Litestar alone", lambda r: r.value >= 4_000 or _ratio(r, "litestar_alone") >= 0.33
    ),
    "socket_send_64": Aim("≥ 5,000", lambda r: r.value >= 5_000),
    "list_50": Aim("≥ 800", lambda r: r.value >= 800),
    "fanout_1000": Aim("≥ 90,000", lambda r: r.value >= 90_000),
    "fanout_p99_ms": Aim("≤ 30 at 5 messages/s", lambda r: r.value <= 30),
    "delivery_p50_ms": Aim("≤ 3", lambda r: r.value <= 3),
    "socket_kb": Aim("≤ 30", lambda r: r.value <= 30),
    "sockets_10000_mb": Aim("≤ 400", lambda r: r.value <= 400),
    "hello_20": Aim("≥ 500", lambda r: r.value >= 500),
    "login_storm_p99_ms": Aim("< 50", lambda r: r.value < 50),
    "login_tells": Aim("≤ 1.1", lambda r: r.value <= 1.1),
    "growth": Aim("≤ 1.2", lambda r: r.value <= 1.2),
    "notify": Aim("≥ 1,000", lambda r: r.value >= 1_000),
}


def table(results: Results) -> str:
    """Returns the table in Markdown, which is also readable on a console."""
    lines = ["| row | figure | aim | met | references (figure ÷ reference) |", "|---|---|---|---|---|"]
    for row in results.rows:
        aim = AIMS.get(row.name)
        beside = " · ".join(
            f"{name} {value:,.4g} ({row.value / value:.3g} ×)" for name, value in row.references.items() if value
        )
        met = "–" if aim is None else "yes" if aim.met(row) else "no"
        text = aim.text if aim else "–"
        lines.append(f"| `{row.name}` | {row.value:,.4g} {row.unit} | {text} | {met} | {beside or '–'} |")
    return "\n".join(lines)


def read(file: Path) -> Results | None:
    """Returns the results of an earlier run, or None."""
    return msgspec.json.decode(file.read_bytes(), type=Results) if file.exists() else None


def write(results: Results, file: Path, *, whole: bool) -> Results:
    """Writes results.json and returns its content. Unless `whole`, rows that were not measured keep their figures."""
    before = None if whole else read(file)
    if before:
        rows = {row.name: row for row in (*before.rows, *results.rows)}
        results = Results(results.machine, list(rows.values()))
    file.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
    return results


def section(results: Results | None) -> str:
    """Returns the text to put between the marks in docs/performance.md."""
    if results is None:
        return NOTHING
    return f"Measured on: {results.machine}.\n\n{table(results)}\n\n![The same as bars]({CHART.name})"


def section_of(document: str) -> str:
    """Returns the text now between the marks of `document`. Raises ValueError without the marks."""
    head, begin, rest = document.partition(BEGIN)
    body, end, _ = rest.partition(END)
    if not (head and begin and end):
        raise ValueError("The document has lost its marks.")
    return body.strip()


def publish(results: Results) -> None:
    """Updates the document's table and chart."""
    text = DOCUMENT.read_text()
    old = section_of(text)
    DOCUMENT.write_text(text.replace(f"{BEGIN}\n{old}\n{END}", f"{BEGIN}\n{section(results)}\n{END}"))
    CHART.write_text(svg(results))
