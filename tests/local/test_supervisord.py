"""The configuration of supervisord, as supervisord reads it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from app.local.supervisord import Supervisord


def test_a_percent_sign_in_a_path_arrives_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "chat %20 %(here)s"
    home.mkdir()
    python = str(home / ".venv" / "bin" / "python")
    monkeypatch.setattr(sys, "executable", python)
    configuration = home / "supervisord.conf"
    configuration.write_text(Supervisord(home)._configuration_text({}))
    options = ServerOptions()
    options.realize(["-c", str(configuration)])
    programs = [program for group in options.process_group_configs for program in group.process_configs]
    assert [shlex.split(program.command)[0] for program in programs] == [python] * 3
    assert (options.childlogdir, options.pidfile) == (str(home), str(home / "supervisord.pid"))
