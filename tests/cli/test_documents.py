"""`chat openapi` writes the document and says so, except into the document."""

from __future__ import annotations

import json
from pathlib import Path

from app.settings import Settings
from tests.support.command import chat


def test_it_says_what_it_wrote(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "new" / "openapi.json"
    done = chat(settings, "openapi", str(file))
    paths = json.loads(file.read_bytes())["paths"]
    assert len(paths) > 40
    assert done.stdout == f"Wrote {file}: {len(paths)} paths, {file.stat().st_size:,} bytes.\n"


def test_on_standard_output_there_is_only_the_document(settings: Settings) -> None:
    done = chat(settings, "openapi", "/dev/stdout")
    assert done.returncode == 0, done.stderr
    assert "paths" in json.loads(done.stdout)
