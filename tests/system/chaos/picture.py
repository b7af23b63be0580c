"""A run as a picture: how late messages were at their readers, over time, and which fault was on when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import log10
from typing import Final

from bench.drawing import OURS, THEIRS, WIDTH, document
from tests.system.chaos.deliveries import deliveries
from tests.system.chaos.record import Record, Window

LEFT, RIGHT, TOP, HEIGHT = 64, 16, 62, 300
LABELS: Final = 3
"""Rows of numbers above the plot, so that neighbours do not cover each other."""
LINE, COLUMNS, FOOT = 17, 2, 66
LATE, BROKEN = "#d97706", "#dc2626"
FASTEST, SLOWEST = 0.001, 100.0
MARKS: Final = ((0.001, "1 ms"), (0.01, "10 ms"), (0.1, "100 ms"), (1.0, "1 s"), (10.0, "10 s"), (100.0, "100 s"))
STEPS: Final = 300
LEAST_STEP: Final = 0.5
SHARES: Final = ((0.5, OURS, "median"), (0.99, LATE, "99 of 100"))


def drawn(record: Record, what: str) -> str:
    """An SVG document. `what` says which run it was."""
    delays = deliveries(record)
    ends = [window.healed for window in record.windows] + [at for at, _ in delays[-1:]]
    seconds = max([end - record.began for end in ends], default=1.0)
    kinds = list(dict.fromkeys(window.fault for window in record.windows))
    scale = Scale(record.began, max(seconds, 1.0))
    parts = [*_grid(scale), *_faults(scale, record.windows, kinds)]
    steps = list(_steps(delays, record.began, max(LEAST_STEP, seconds / STEPS)))
    for share, colour, _ in SHARES:
        parts.append(f'<path d="{_line(scale, steps, share)}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    legend, height = _legend(kinds)
    return document(
        "How late messages were while things broke", f"From said to told: {what}", [*parts, *legend], height
    )


class Scale:
    """Seconds of the run to the right, delays upwards, by powers of ten."""

    def __init__(self, began: float, seconds: float) -> None:
        self.began = began
        self.seconds = seconds

    def x(self, at: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (at - self.began) / self.seconds, 1)

    def y(self, delay: float) -> float:
        share = log10(min(max(delay, FASTEST), SLOWEST) / FASTEST) / log10(SLOWEST / FASTEST)
        return round(TOP + HEIGHT * (1 - share), 1)


def _grid(scale: Scale) -> list[str]:
    parts = []
    for delay, name in MARKS:
        y = scale.y(delay)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="{THEIRS}" stroke-width="0.5"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{name}</text>')
    every = next(step for step in (5, 10, 30, 60, 120, 300, 600, 1e9) if scale.seconds / step <= 12)
    at = 0.0
    while at <= scale.seconds:
        x = scale.x(scale.began + at)
        parts.append(f'<text x="{x}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{at:.0f} s</text>')
        at += every
    return parts


def _faults(scale: Scale, windows: Sequence[Window], kinds: Sequence[str]) -> list[str]:
    parts = []
    for at, window in enumerate(windows):
        left = scale.x(window.began)
        width = max(1.5, round(scale.x(window.healed) - left, 1))
        colour = BROKEN if window.problems else THEIRS
        parts.append(
            f'<rect x="{left}" y="{TOP}" width="{width}" height="{HEIGHT}" fill="{colour}" fill-opacity="0.3"/>'
        )
        parts.append(
            f'<text x="{left + width / 2:.1f}" y="{TOP - 4 - 9 * (at % LABELS)}" font-size="9" text-anchor="middle">'
            f"{kinds.index(window.fault) + 1}</text>"
        )
    return parts


def _steps(
    delays: Sequence[tuple[float, float]], began: float, step: float
) -> Iterator[tuple[int, float, list[float]]]:
    """Yields (number, the middle's time, delays in ascending order) of each step that has deliveries."""
    found: dict[int, list[float]] = {}
    for at, delay in delays:
        found.setdefault(int((at - began) / step), []).append(delay)
    for number in sorted(found):
        yield number, began + (number + 0.5) * step, sorted(found[number])


def _line(scale: Scale, steps: Sequence[tuple[int, float, list[float]]], share: float) -> str:
    """A line with a gap at each step without deliveries."""
    words, before = [], -2
    for number, at, delays in steps:
        delay = delays[min(len(delays) - 1, int(len(delays) * share))]
        words.append(f"{'L' if number == before + 1 else 'M'}{scale.x(at)} {scale.y(delay)}")
        before = number
    return " ".join(words)


def _legend(kinds: Sequence[str]) -> tuple[list[str], int]:
    """Its parts, and the height of the whole picture."""
    y = TOP + HEIGHT + 42
    parts, x = [], LEFT
    for _, colour, name in SHARES:
        parts.append(f'<rect x="{x}" y="{y - 10}" width="18" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{x + 24}" y="{y - 4}">{name}</text>')
        x += 120
    parts.append(f'<text x="{x}" y="{y - 4}">grey: a fault lasts · red: something did not hold</text>')
    rows = -(-len(kinds) // COLUMNS)
    for at, kind in enumerate(kinds):
        column, row = divmod(at, rows)
        x = LEFT + column * (WIDTH - LEFT - RIGHT) // COLUMNS
        parts.append(f'<text x="{x}" y="{y + 18 + row * LINE}">{at + 1} {escape(kind)}</text>')
    return parts, TOP + HEIGHT + FOOT + rows * LINE
