"""What production installs is enough: nothing works only because a development tool brought a library along."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

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
    return {plain(name) for name in names} | {"chat-backend"}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported_with(names: set[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", ALONE, ",".join(sorted(names))]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)


def test_the_product_needs_nothing_that_production_does_not_install() -> None:
    answer = imported_with(distributions("production"))
    assert answer.stdout.strip() == "complete", answer.stderr


def test_a_library_that_is_missing_is_noticed() -> None:
    answer = imported_with(distributions("production") - {"packaging"})
    assert "No module named 'packaging" in answer.stderr


def imports() -> Iterator[tuple[str, str]]:
    """Each import below `app`, as (file, package): also those inside functions, which an import of the module skips."""
    for path in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=aliases):
                    modules = [alias.name for alias in aliases]
                case ast.ImportFrom(module=str(module)):
                    modules = [module]
                case ast.Call(func=ast.Name(id="import_module"), args=[ast.Constant(value=str(module))]):
                    modules = [module]
                case _:
                    continue
            yield from ((path.relative_to(ROOT).as_posix(), module.partition(".")[0]) for module in modules)


def not_installed_with(names: set[str]) -> set[tuple[str, str]]:
    """The imports of packages that none of these distributions installs."""
    owners = packages_distributions()
    ours = {"app", *sys.stdlib_module_names}
    return {
        (file, package)
        for file, package in imports()
        if package not in ours and not {plain(owner) for owner in owners[package]} & names
    }


def test_an_import_inside_a_function_needs_nothing_that_production_does_not_install() -> None:
    """`chat up` with servers of your own is a command of the image too."""
    assert not_installed_with(distributions("production")) == set()


def test_an_import_inside_a_function_that_production_lacks_is_noticed() -> None:
    missing = not_installed_with(distributions("production") - {"flower", "supervisor"})
    assert missing == {
        ("app/cli/serve.py", "flower"),
        ("app/tasks/broker/flower_broker.py", "flower"),
        ("app/local/supervisord_main.py", "supervisor"),
    }


def installed_extras(name: str) -> set[str]:
    """The extras with which the lock names a package."""
    text = (ROOT / "requirements" / "dev.txt").read_text()
    (extras,) = re.findall(rf"^{name}(?:\[(.*?)\])?==", text, re.MULTILINE)
    return {extra.strip() for extra in extras.split(",")} - {""}


def test_the_lock_keeps_the_extras_that_its_packages_ask_for() -> None:
    """Without `[toml]` a pip older than 24 looks for a newer coverage, which has no hash in the lock."""
    assert installed_extras("coverage") == {"toml"}
    assert installed_extras("psycopg") == {"binary", "pool"}


def test_nothing_is_resolved_while_the_lock_is_installed() -> None:
    script = (ROOT / "requirements" / "install").read_text()
    assert re.findall(r"pip install .*", script) == [
        'pip install --disable-pip-version-check --no-deps "$@" >> "$log" 2> "$log.errors" &'
    ]
    assert re.findall(r"^pip_install .*", script, re.MULTILINE) == [
        'pip_install --require-hashes -r "$lock"',
        "pip_install --no-build-isolation -e .",
    ]
    assert "pip check" in script


def chosen_python(folder: Path, **versions: str) -> subprocess.CompletedProcess[str]:
    """Runs `requirements/python` where exactly these interpreters exist; each says that it has the given version."""
    for name, version in versions.items():
        interpreter = folder / name.replace("_", ".")
        claims = f"import sys; sys.version_info = {tuple(map(int, version.split('.')))}; exec(sys.argv[1])"
        interpreter.write_text(
            f'#!/bin/bash\n[ "$1" = --version ] && echo "Python {version}" && exit\n'
            f'exec {sys.executable} -c "{claims}" "$2"\n'
        )
        interpreter.chmod(0o755)
    return subprocess.run(
        ["/bin/bash", ROOT / "requirements" / "python"],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": f"{folder}:/usr/bin-without-python", "PYTHON": ""},
    )


def test_a_newer_python_is_used_and_said_to_be_untested(tmp_path: Path) -> None:
    answer = chosen_python(tmp_path, python3="3.16.0")
    assert answer.stdout == "python3\n"
    assert answer.stderr == "Python 3.16.0 is newer than the versions the chat is tested on (3.11 to 3.14).\n"


def test_a_tested_python_is_preferred_to_a_newer_one(tmp_path: Path) -> None:
    answer = chosen_python(tmp_path, python3="3.16.0", python3_12="3.12.1")
    assert (answer.stdout, answer.stderr) == ("python3.12\n", "")


def test_an_old_python_is_refused_in_a_sentence(tmp_path: Path) -> None:
    answer = chosen_python(tmp_path, python3="3.10.13")
    assert answer.returncode == 1
    assert "needs Python 3.11 or newer with its venv module" in answer.stderr
