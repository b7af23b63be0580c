"""What is published of the benchmark is what was measured."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from bench import chart, report
from bench.__main__ import ROWS
from bench.measures import Measure, Plan, Results, Row, run
from bench.stage import Pace

BESIDES = {"fanout_p99_ms", "sockets_10000_mb", "sockets_10000_connects", "sockets_10000_message_ms"}
"""Rows that another row's measure brings along."""

SOME = Results(
    "a machine",
    [
        Row("send_64", 3_100.0, "sends/s", {"litestar_alone": 12_000.0, "postgres_alone": 8_000.0}),
        Row("delivery_p50_ms", 3.5, "ms"),
    ],
)


def test_the_document_says_what_results_json_says() -> None:
    assert report.section_of(report.DOCUMENT.read_text()) == report.section(report.read(report.RESULTS))


def test_the_chart_shows_what_results_json_says() -> None:
    measured = report.read(report.RESULTS)
    assert (report.CHART.read_text() if report.CHART.exists() else None) == (measured and chart.svg(measured))


def test_results_have_known_rows_only() -> None:
    measured = report.read(report.RESULTS)
    assert {row.name for row in measured.rows} <= {*ROWS, *BESIDES} if measured else True


def test_the_document_explains_every_row() -> None:
    text = report.DOCUMENT.read_text()
    assert [name for name in ROWS if f"| `{name}` |" not in text] == []


def test_the_table_says_whether_an_aim_is_met_and_the_ratios() -> None:
    send, delivery = report.table(SOME).splitlines()[2:]
    assert "| yes |" in send
    assert "litestar_alone 1.2e+04 (0.258 ×)" in send
    assert "| no |" in delivery


def test_an_aim_met_by_neither_way_is_not_met() -> None:
    slow = Row("send_64", 2_900.0, "sends/s", {"litestar_alone": 12_000.0})
    assert not report.AIMS["send_64"].met(slow)
    assert report.AIMS["send_64"].met(msgspec.structs.replace(slow, references={"litestar_alone": 11_000.0}))


def test_one_rows_run_leaves_the_other_rows_figures(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    report.write(SOME, file, whole=True)
    report.write(Results("a machine", [Row("send_64", 1.0, "sends/s")]), file, whole=False)
    assert report.read(file) == Results("a machine", [Row("send_64", 1.0, "sends/s"), SOME.rows[1]])


def test_a_whole_run_leaves_none(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    report.write(SOME, file, whole=True)
    report.write(Results("a machine", [Row("page_50", 1.0, "pages/s")]), file, whole=True)
    assert [row.name for row in msgspec.json.decode(file.read_bytes(), type=Results).rows] == ["page_50"]


def test_the_worse_subjects_median_counts() -> None:
    def played(*figures: float) -> Measure:
        left = iter(figures)
        return lambda _seconds: next(left)

    received: list[str] = []
    warm_up = 0.0
    plan = Plan("sends/s", {"one": played(warm_up, 9, 5, 100), "spread": played(warm_up, 7, 1, 8)})
    [row] = run("send_64", plan, Pace(rounds=3), received.append)
    assert row.value == 7.0
    assert len(received) == 2


def test_the_chart_is_a_picture_with_a_bar_for_each_figure() -> None:
    root = ET.fromstring(chart.svg(SOME))
    bars = [one for one in root if one.tag.endswith("rect")]
    assert len(bars) == 1 + 3  # the paper, and a row without references has no bar


def test_a_document_without_marks_is_not_filled_in() -> None:
    with pytest.raises(ValueError, match="marks"):
        report.section_of("# A page\n")
