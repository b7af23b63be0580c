"""Builds the guide from the documents: `make guide`. The result is the same on every machine and Python version."""

from __future__ import annotations

import shutil
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from mkdocs.commands.build import build
from mkdocs.config import load_config

from tests.docs.markers import ROOT

SITE: Final = ROOT / "app" / "api" / "guide" / "site"
LEFT_OUT: Final = (
    "sitemap.xml",
    "sitemap.xml.gz",
    "404.html",
    "assets/javascripts/lunr",
    "assets/javascripts/*.map",
    "assets/javascripts/workers/*.map",
    "assets/stylesheets/*.map",
)
"""Dates, languages other than English, and what only developers of the theme read."""


def build_guide(directory: Path) -> None:
    """Writes the guide to `directory`. Raises mkdocs.exceptions.Abort if a link or an anchor leads nowhere."""
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(directory), strict=True)
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    for pattern in LEFT_OUT:
        for path in directory.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    licence = distribution("mkdocs-material").read_text("licenses/LICENSE")
    assert licence, "the theme's licence travels with it"
    (directory / "assets" / "LICENSE.mkdocs-material.txt").write_text(licence, encoding="utf-8")


def contents(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


if __name__ == "__main__":
    shutil.rmtree(SITE, ignore_errors=True)
    build_guide(SITE)
    made = contents(SITE)
    print(f"{len(made)} files, {sum(map(len, made.values())):,} bytes", file=sys.stderr)
