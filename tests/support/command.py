"""`chat …` as an operator types it, in a process of its own: from a script, or at a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from app.settings import Settings, environment_for_child
from tests.support.processes import ROOT


def chat(
    settings: Settings, *words: str, typed: str | None = None, script: str = "", **further: str
) -> subprocess.CompletedProcess[str]:
    """`typed`: what is typed at the terminal; None for a script, whose input is `script`. `further`: more variables."""
    environment = further | environment_for_child(
        DATABASE_URL=settings.database_url,
        REDIS_URL=settings.redis_url,
        SECRET_KEY=settings.secret_key,
        DATA_DIR=str(settings.data_dir),
        PORT=str(settings.port),
    )
    command = [sys.executable, "-m", "app.cli", *words]
    if typed is None:
        return subprocess.run(
            command, cwd=ROOT, env=environment, input=script, capture_output=True, text=True, timeout=60
        )
    parent, child = pty.openpty()
    os.write(parent, typed.encode())
    try:
        return subprocess.run(
            command, cwd=ROOT, env=environment, stdin=child, capture_output=True, text=True, timeout=60
        )
    finally:
        os.close(parent)
        os.close(child)
