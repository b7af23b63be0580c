"""`make up` installs its lock with progress on a terminal, and shows pip's complaint when it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# Stands for the environment's Python: only pip, which would need the outside world, is a stand-in.
PYTHON = f"""#!/bin/bash
case "$*" in
  *"pip install"*--require-hashes*) echo 'Collecting one==1'; echo 'Collecting two==2'; {{pip}} ;;
  *"pip "*) ;;
  *) exec {sys.executable} "$@" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "my chat %20 'é'"
    (folder / "requirements").mkdir(parents=True)
    for name in ("install", "python"):
        shutil.copy(ROOT / "requirements" / name, folder / "requirements" / name)
    (folder / "requirements" / "local.txt").write_text(
        "one==1 \\\n    --hash=sha256:0\ntwo==2 \\\n    --hash=sha256:0\n"
    )
    (folder / "requirements" / "dev.txt").write_text("")
    (folder / "pyproject.toml").write_text("")
    return folder


def install(checkout: Path, pip: str) -> subprocess.Popen[bytes]:
    """Runs the installation on a terminal; its standard output is what the terminal showed."""
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(PYTHON.replace("{pip}", pip))
    python.chmod(0o755)
    screen, slave = os.openpty()
    started = subprocess.Popen(["bash", "requirements/install", "local"], cwd=checkout, stdout=slave, stderr=slave)
    os.close(slave)
    started.stdout = os.fdopen(screen, "rb", buffering=0)
    return started


def shown(started: subprocess.Popen[bytes]) -> str:
    assert started.stdout is not None
    found = b""
    try:
        while some := started.stdout.read(65_536):
            found += some
    except OSError:
        pass  # the terminal has no writer left
    started.stdout.close()
    started.wait(60)
    return found.decode()


def test_the_installation_shows_how_far_it_is_and_happens_once(checkout: Path) -> None:
    first = install(checkout, "sleep 1; echo 'Installing collected packages: one, two'; sleep 1")
    text = shown(first)
    assert first.returncode == 0, text
    assert text.startswith("installing 2 packages of requirements/local.txt into .venv …")
    assert "2 of 2 collected, " in text
    assert "2 collected, unpacking them, " in text
    assert "installed in " in text.splitlines()[-1]
    again = install(checkout, "exit 1")
    assert shown(again) == ""
    assert again.returncode == 0


def test_a_failed_installation_shows_why_and_is_not_taken_for_done(checkout: Path) -> None:
    failing = install(checkout, "echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES' >&2; exit 1")
    assert "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES" in shown(failing)
    assert failing.returncode == 1
    assert not (checkout / ".venv" / "local.stamp").exists()
