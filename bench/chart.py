"""Draws the figures as a chart: a group of bars per row, each with its own scale, because units differ."""

from __future__ import annotations

from html import escape

from bench.drawing import OURS, THEIRS, WIDTH, document
from bench.measures import Results, Row

LEFT, RIGHT = 190, 170
BAR, GAP, HEAD = 16, 4, 34


def svg(results: Results) -> str:
    """Returns an SVG document. For times, memory and ratios shorter bars are better, as the group's heading says."""
    rows = [row for row in results.rows if row.references]
    parts, top = [], 44
    for row in rows:
        drawn, top = _group(row, top)
        parts += drawn
    return document("Benchmark: this server beside its references", results.machine, parts, top + 10)


def _group(row: Row, top: int) -> tuple[list[str], int]:
    shorter = row.unit in ("ms", "KB", "MB", "×")
    bars = {"this server": row.value, **row.references}
    longest = max(bars.values()) or 1.0
    unit = f"{row.unit}, shorter is better" if shorter else row.unit
    lines = [f'<text x="12" y="{top + 18}" font-weight="bold">{escape(row.name)} ({escape(unit)})</text>']
    y = top + HEAD - 6
    for name, value in bars.items():
        width = max(1, round((WIDTH - LEFT - RIGHT) * value / longest))
        colour = OURS if name == "this server" else THEIRS
        middle = y + BAR - 4
        lines.append(f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end">{escape(name)}</text>')
        lines.append(f'<rect x="{LEFT}" y="{y}" width="{width}" height="{BAR}" fill="{colour}"/>')
        lines.append(f'<text x="{LEFT + width + 6}" y="{middle}">{value:,.4g}</text>')
        y += BAR + GAP
    return lines, y + 8
