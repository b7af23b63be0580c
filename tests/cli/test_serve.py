"""Commands that run until a stop signal, at their start."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from app.settings import Settings, environment_for_child
from tests.support.chat import ROOT

WARNING = "chat: warning: SMPT_URL is not a setting and is ignored: did you mean SMTP_URL?"


def start(data_dir: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `chat`, which is expected to refuse to start."""
    own = {
        name: value for name, value in environment_for_child().items() if name.lower() not in Settings.__struct_fields__
    }
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        env={**own, "DATA_DIR": str(data_dir), **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_start_warns_of_a_misspelled_setting_once_in_the_parent_and_not_in_its_children(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        occupied = {"PORT": str(holder.getsockname()[1]), "SMPT_URL": "smtp://mail"}
        parent = start(tmp_path, "up", **occupied)
        child = start(tmp_path, "--tied", "up", **occupied)
    refusal = f"chat: Port {occupied['PORT']} is in use on this machine"
    assert [line[: len(refusal)] for line in parent.stderr.splitlines()] == [WARNING[: len(refusal)], refusal]
    assert WARNING in parent.stderr
    assert [line[: len(refusal)] for line in child.stderr.splitlines()] == [refusal]
