"""The figures as a picture: one group of bars a row, each group with a scale of its own, because units differ."""

from __future__ import annotations

from html import escape

from bench.measures import Results, Row

WIDTH, LEFT, RIGHT = 860, 190, 170
BAR, GAP, HEAD = 16, 4, 34
OURS, THEIRS, INK, PAPER = "#2563eb", "#9ca3af", "#1f2937", "#ffffff"


def svg(results: Results) -> str:
    """A whole SVG document. Longer is more: for times and memory, shorter is better, and the row's head says so."""
    rows = [row for row in results.rows if row.references]
    parts, top = [], 44
    for row in rows:
        drawn, top = _group(row, top)
        parts += drawn
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + 10}" role="img"',
        f'  font-family="sans-serif" font-size="13" fill="{INK}">',
        "<title>Benchmark: this server beside its references</title>",
        f'<rect width="{WIDTH}" height="{top + 10}" fill="{PAPER}"/>',
        f'<text x="12" y="26" font-size="15">{escape(results.machine)}</text>',
    ]
    return "\n".join([*head, *parts, "</svg>"]) + "\n"


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
