"""The committed files of the web app are those that its sources build, and small."""

from __future__ import annotations

import gzip
import re
import subprocess
import tomllib
from pathlib import Path

import msgspec
import pytest

from app.api.pages.web_app import SITE
from tests.support.node import NODE, ROOT, environment, installed

WEB = ROOT / "web"
FIRST_LOAD = 150 * 1024
"""Bytes of html, scripts and styles, compressed."""
SECONDS = 300


@pytest.fixture(scope="module")
def node() -> str:
    """The program, once the packages are installed."""
    installed(WEB)
    return str(NODE)


def run(*command: str, **more: str) -> None:
    done = subprocess.run(
        command, cwd=WEB, env=environment(**more), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def files(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


@pytest.mark.timeout(SECONDS)
def test_the_committed_files_are_what_the_sources_build(node: str, tmp_path: Path) -> None:
    run(node, "node_modules/vite/bin/vite.js", "build", "--logLevel", "warn", WEB_OUT=str(tmp_path / "site"))
    built, committed = files(tmp_path / "site"), files(SITE)
    assert sorted(built) == sorted(committed), "run `make web` and commit app/web/site"
    assert [name for name in built if built[name] != committed[name]] == [], "run `make web` and commit app/web/site"


@pytest.mark.timeout(SECONDS)
def test_the_sources_pass_the_type_check(node: str) -> None:
    run(node, "node_modules/typescript/bin/tsc", "--noEmit")


def loaded(page: str) -> list[str]:
    """The files that the browser loads before anything shows: scripts, their static imports, and styles."""
    html = (SITE / page).read_text()
    return re.findall(r'<(?:script|link)\b[^>]*\b(?:src|href)="\./(web-assets/[^"]+\.(?:js|css))"', html)


def test_the_first_load_of_the_chat_is_small() -> None:
    names = loaded("index.html")
    assert {name.rpartition(".")[2] for name in names} == {"js", "css"}
    bodies = [(SITE / name).read_bytes() for name in ("index.html", *names)]
    assert sum(len(gzip.compress(body, 9)) for body in bodies) <= FIRST_LOAD


@pytest.mark.parametrize("page", sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html")))
def test_a_page_has_no_inline_code_and_only_relative_addresses(page: str) -> None:
    html = (SITE / page).read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", html) == []
    addresses = re.findall(r'\b(?:src|href)="([^"]+)"', html)
    assert len(addresses) > 3
    assert [one for one in addresses if not one.startswith(("./", "../"))] == []


def test_no_built_file_names_a_source_map_or_another_host() -> None:
    for name, body in files(SITE).items():
        assert b"sourceMappingURL" not in body, name
        hosts = set(re.findall(rb"https?://([\w.-]+\.\w+)", body)) if name.endswith((".js", ".css", ".html")) else set()
        assert hosts <= {b"www.w3.org"}, name


def test_the_licences_of_bundled_packages_are_beside_them() -> None:
    licences = (SITE / "web-assets" / "LICENSES.txt").read_text()
    dependencies = msgspec.json.decode((WEB / "package.json").read_bytes())["dependencies"]
    for name in ("preact", "@preact/signals", "lean-qr"):
        assert f"{name} {dependencies[name]} (MIT)" in licences
    assert licences.count("Permission is hereby granted") >= 3


def test_the_lock_has_no_addresses_and_only_exact_versions() -> None:
    about = msgspec.json.decode((WEB / "package.json").read_bytes())
    versions = [*about["dependencies"].values(), *about["devDependencies"].values()]
    assert [one for one in versions if not re.fullmatch(r"\d+\.\d+\.\d+", one)] == []
    lock = (WEB / "package-lock.json").read_text()
    assert "resolved" not in lock
    assert lock.count('"integrity"') > 10


def test_the_wheel_contains_every_built_file() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["app"]
    suffixes = {path.suffix for path in SITE.rglob("*") if path.is_file()}
    assert suffixes - {pattern.removeprefix("**/*") for pattern in patterns} == set()
