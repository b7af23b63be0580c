"""What the command line writes, and what its children write to the same file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.processes import ROOT

APPENDING = """
import os, sys
from app.cli import output

output.prepare()
print("ours", flush=True)
with open("/dev/fd/1", "a") as theirs:  # as supervisord opens it
    print("theirs", file=theirs, flush=True)
print("ours again", flush=True)
"""


def test_lines_of_several_processes_in_one_file_stay_whole(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as file:
        subprocess.run([sys.executable, "-c", APPENDING], cwd=ROOT, stdout=file, check=True, timeout=60)
    assert (tmp_path / "out").read_text() == "ours\ntheirs\nours again\n"
