"""What production installs is enough: nothing works only because a development tool brought a library along."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Imports the whole product in an interpreter that finds only what the lock names.
ALONE = """
import importlib.metadata, pkgutil, re, sys
from importlib.machinery import PathFinder

def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()

locked = set(sys.argv[1].split(","))
owners = importlib.metadata.packages_distributions()

class OnlyLocked(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in owners and not {plain(owner) for owner in owners[top]} & locked:
            return None
        return super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = OnlyLocked
import app
for module in pkgutil.walk_packages(app.__path__, "app."):
    if module.name != "app.worker":  # reads the settings
        __import__(module.name)
import kombu.transport.redis
import uvicorn.loops.uvloop, uvicorn.protocols.http.httptools_impl
import uvicorn.protocols.websockets.websockets_sansio_impl, sqlalchemy.dialects.postgresql.psycopg
import sentry_sdk.integrations.litestar, sentry_sdk.integrations.celery
print("complete")
"""


def distributions(lock: str) -> set[str]:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    names = re.findall(r"^([a-z0-9][\w.-]*?)(?:\[.*?\])?==", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names} | {"chat-backend"}


def imported_with(names: set[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", ALONE, ",".join(sorted(names))]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)


def test_the_product_needs_nothing_that_production_does_not_install() -> None:
    answer = imported_with(distributions("production"))
    assert answer.stdout.strip() == "complete", answer.stderr


def test_a_library_that_is_missing_is_noticed() -> None:
    answer = imported_with(distributions("production") - {"packaging"})
    assert "No module named 'packaging" in answer.stderr
