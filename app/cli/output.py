"""What commands print: tables and colours on a terminal, plain text that stays the same in a pipe, or JSON."""

from __future__ import annotations

import fcntl
import io
import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple


class Column(NamedTuple):
    """`width`: the least number of characters in plain text. `gap`: the spaces before it."""

    heading: str
    width: int = 0
    right: bool = False
    gap: int = 1


class Table(NamedTuple):
    """Rows of text. A row with a single cell is a note that spans the columns."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]

    def plain(self) -> str:
        """Returns the table for pipes and files: columns padded with spaces, no lines, no colours."""
        headings = [column.heading for column in self.columns]
        return "\n".join(map(self._line, [headings, *self.rows] if any(headings) else self.rows))

    def _line(self, cells: Sequence[str]) -> str:
        if len(cells) == 1:
            return cells[0]
        parts = [
            " " * (column.gap if at else 0) + (cell.rjust(column.width) if column.right else cell.ljust(column.width))
            for at, (column, cell) in enumerate(zip(self.columns, cells, strict=True))
        ]
        return "".join(parts).rstrip()


Part = str | Table
OK, WRONG = "ok", "WRONG"
STYLES = {OK: "green", WRONG: "bold red"}
"""Styles of cells that consist of these words, on a terminal."""


def prepare() -> None:
    """Call it once, first. A character that the encoding lacks becomes a question mark instead of an error. A regular
    file is opened for appending, as each process would otherwise overwrite what the others wrote."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
        with suppress(OSError, ValueError, AttributeError):  # closed, or a test's stand-in
            file = stream.fileno()
            if stat.S_ISREG(os.fstat(file).st_mode):
                fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)


def show(parts: Part | list[Part]) -> None:
    """Prints text and tables."""
    parts = parts if isinstance(parts, list) else [parts]
    if sys.stdout.isatty():
        _show_on_terminal(parts)
        return
    for part in parts:
        print(part.plain() if isinstance(part, Table) else part)


def show_json(value: object) -> None:
    """Prints a value of msgspec's types as JSON, in ASCII, which every terminal and pipe can carry."""
    import json

    import msgspec

    print(json.dumps(msgspec.to_builtins(value), indent=2))


def _show_on_terminal(parts: list[Part]) -> None:
    from rich import box, table, text
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for part in parts:
        if isinstance(part, str):
            coloured = text.Text(part)
            coloured.highlight_regex("█+", "green")
            coloured.highlight_regex("░+", "red")
            console.print(coloured)
            continue
        headings = any(column.heading for column in part.columns)
        drawn = table.Table(
            box=box.SIMPLE_HEAD if headings else None, show_header=headings, pad_edge=False, header_style="bold"
        )
        for column in part.columns:
            drawn.add_column(column.heading, justify="right" if column.right else "left", overflow="fold")
        for row in part.rows:
            if len(row) == 1:
                drawn.add_section()
            drawn.add_row(*(text.Text(cell, STYLES.get(cell, "")) for cell in row))
        console.print(drawn, soft_wrap=False)
