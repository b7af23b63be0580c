"""docs/sizing.md computes from the benchmark's results and from the assumptions that it states."""

from __future__ import annotations

from tests.docs import capacity_table, generate

TEXT = generate.SIZING.read_text(encoding="utf-8")


def test_the_tables_follow_from_the_results_and_the_assumptions() -> None:
    assert generate.regenerated(generate.SIZING) == TEXT, "make documents"
    for stated in ("50 a person and day", "a fifth of them in the busiest hour", "five times the average", "ten pages"):
        assert stated in TEXT


def test_the_sentences_about_fifty_thousand_people_are_computed() -> None:
    sends = capacity_table.sends_a_second(50_000)
    assert f"{sends * 11:,.0f} requests a second are three processes" in TEXT
    assert 2 < sends * 11 / 2_867 <= 3
    assert f"{sends:,.0f} × 20 µs (an estimate) are {sends * 20e-6:.1%} of a core".replace("%", " %") in TEXT
    average = sends / capacity_table.BUSIEST_MINUTE
    assert f"{average:,.0f} × 13 = {average * 13:,.0f} decisions a second" in TEXT
    assert f"in its busiest minute {sends * 13:,.0f}" in TEXT
    workers = 2 * 2_461
    assert 75 < (sends * 13 - workers) * 60 / (workers - average * 13) < 105, "a minute and a half"
    assert 2 < 50_000 / 3 / 969 / 6 < 3.5, "three seconds"
