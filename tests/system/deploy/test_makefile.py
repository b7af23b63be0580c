"""`make help` lists every target in two columns."""

from __future__ import annotations

import os
import re
import subprocess

from tests.support.processes import ROOT


def test_the_descriptions_of_make_help_stand_in_one_column() -> None:
    # A make that runs this test passes its flags on, among them that directories are printed.
    alone = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    make = subprocess.run(["make", "help"], cwd=ROOT, env=alone, capture_output=True, text=True, check=True, timeout=60)
    listed = make.stdout
    columns = {len(re.match(r"  make [a-z-]+ *", line)[0]) for line in listed.splitlines()}  # type: ignore[index]
    assert len(listed.splitlines()) > 15
    assert len(columns) == 1, listed
