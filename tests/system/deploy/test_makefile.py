"""`make help` lists every target in two columns."""

from __future__ import annotations

import re
import subprocess

from tests.support.processes import ROOT


def test_the_descriptions_of_make_help_stand_in_one_column() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    columns = {len(re.match(r"  make [a-z-]+ *", line)[0]) for line in listed.splitlines()}  # type: ignore[index]
    assert len(listed.splitlines()) > 15
    assert len(columns) == 1, listed
