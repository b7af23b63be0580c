"""What the command line writes, and what its children write to the same file."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from uuid import UUID

import pytest

from app.cli import output
from app.cli.output import Column, Table
from tests.support.processes import ROOT

APPENDING = """
from app.cli import main

main(["--version"])
with open("/dev/fd/1", "a") as theirs:  # as supervisord opens it
    print("theirs", file=theirs, flush=True)
print("ours again", flush=True)
"""


def test_lines_of_several_processes_in_one_file_stay_whole(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as file:
        subprocess.run([sys.executable, "-c", APPENDING], cwd=ROOT, stdout=file, check=True, timeout=60)
    assert (tmp_path / "out").read_text() == f"chat {version('chat-backend')}\ntheirs\nours again\n"


TABLE = Table(
    [Column("queue", 8), Column("waiting", 9, right=True), Column("note", gap=2)],
    [["upkeep", "1", "–"], ["  a line of its own"], ["mail", "12,000", "full"]],
)
ON_A_TERMINAL = """
from app.cli import output
from tests.cli.test_output import TABLE

output.show([TABLE, "██░ end"])
"""


def test_a_table_in_a_pipe_is_plain_columns(capsys: pytest.CaptureFixture[str]) -> None:
    output.show([TABLE, "end"])
    assert capsys.readouterr().out == (
        "queue      waiting  note\nupkeep           1  –\n  a line of its own\nmail        12,000  full\nend\n"
    )


def on_a_terminal(**environment: str) -> str:
    """What a terminal receives."""
    parent, child = pty.openpty()
    path = f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"
    given = {"PATH": os.defpath, "TERM": "xterm-256color", "PYTHONPATH": path, "LC_ALL": "C.UTF-8", **environment}
    with subprocess.Popen([sys.executable, "-c", ON_A_TERMINAL], cwd=ROOT, env=given, stdout=child) as program:
        os.close(child)
        received = b""
        try:
            while part := os.read(parent, 4096):
                received += part
        except OSError:  # the terminal's last program ended
            pass
    os.close(parent)
    assert program.returncode == 0
    return received.decode()


def test_a_terminal_receives_a_drawn_table_with_colours() -> None:
    received = on_a_terminal()
    assert "─" in received
    assert "\x1b[1m" in received
    assert "\x1b[32m██" in received
    assert "12,000" in received


def test_a_terminal_without_colours_receives_none() -> None:
    assert "\x1b[32m" not in on_a_terminal(NO_COLOR="1")


def test_json_is_ascii_and_keeps_every_letter(capsys: pytest.CaptureFixture[str]) -> None:
    found = {"name": "Ådä █", "id": UUID(int=1), "at": datetime(2026, 5, 4, tzinfo=UTC), "none": None}
    output.show_json(found)
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert json.loads(printed) == {
        "name": "Ådä █", "id": str(UUID(int=1)), "at": "2026-05-04T00:00:00Z", "none": None
    }  # fmt: skip
