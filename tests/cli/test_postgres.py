"""`chat psql` and `chat backup` run programs of Postgres that fit the embedded server, and show no password."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import psycopg

from app.cli.postgres import connection
from app.settings import environment_for_child
from tests.cli.conftest import Cast
from tests.support.command import chat
from tests.support.processes import ROOT


def test_psql_runs_with_its_own_arguments_on_the_chats_database(cast: Cast) -> None:
    done = chat(cast.settings, "psql", "-At", "-c", "SELECT email FROM users ORDER BY email LIMIT 1")
    assert (done.returncode, done.stdout) == (0, "ada@example.org\n"), done.stderr
    wrong = chat(cast.settings, "psql", "-c", "SELECT nonsense")
    assert wrong.returncode == 1
    assert "nonsense" in wrong.stderr


def test_the_process_list_of_the_machine_does_not_show_the_password(cast: Cast) -> None:
    with psycopg.connect(cast.settings.libpq_url) as direct:
        password = direct.info.password
    assert len(password) > 8
    own = "\\! tr '\\0' ' ' < /proc/$PPID/cmdline"
    done = chat(cast.settings, "psql", "-c", own)
    assert "psql" in done.stdout
    assert password not in done.stdout + done.stderr


def test_the_owner_may_do_what_the_application_may_not(cast: Cast, fresh_owner_url: str) -> None:
    settings = cast.settings
    assert settings.migrate_database_url == ""
    for option, url, code in ((), fresh_owner_url, 1), (("--owner",), fresh_owner_url, 0):
        done = chat(
            settings, "psql", *option, "-c", "ALTER TABLE users ADD COLUMN spare integer", MIGRATE_DATABASE_URL=url
        )
        assert done.returncode == code, done.stderr


def test_every_parameter_of_a_url_reaches_the_program() -> None:
    options, variables = connection(
        "postgresql://ada:p%20w@one:5432,two:5433/chat?options=-csearch_path%3Dchat&keepalives_idle=9&sslpassword=s"
    )
    assert options == ["--dbname=keepalives_idle=9"]
    assert variables == {
        "PGUSER": "ada",
        "PGPASSWORD": "p w",
        "PGHOST": "one,two",
        "PGPORT": "5432,5433",
        "PGDATABASE": "chat",
        "PGOPTIONS": "-csearch_path=chat",
        "PGTARGETSESSIONATTRS": "read-write",
    }


def test_a_backup_can_be_restored(cast: Cast, fresh_owner_url: str, empty_database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "chat.dump"
    done = chat(cast.settings, "backup", str(file), MIGRATE_DATABASE_URL=fresh_owner_url)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Wrote {file}: {file.stat().st_size:,} bytes.\n"
    assert file.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == [file]
    _, variables = connection(empty_database_url)
    program = "from app.cli.postgres import _program; print(_program('pg_restore'))"
    restore = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    subprocess.run(
        [restore.stdout.strip(), "--exit-on-error", "--no-owner", f"--dbname={variables['PGDATABASE']}", str(file)],
        env=environment_for_child(**variables),
        check=True,
        timeout=60,
    )
    with psycopg.connect(empty_database_url) as restored:
        row = restored.execute("SELECT count(*), bool_or(email = 'ada@example.org') FROM users").fetchone()
    assert row == (4, True)


def test_a_backup_replaces_no_file_unless_forced(cast: Cast, fresh_owner_url: str, tmp_path: Path) -> None:
    file = tmp_path / "chat.dump"
    file.write_text("yesterday's")
    done = chat(cast.settings, "backup", str(file), MIGRATE_DATABASE_URL=fresh_owner_url)
    assert (done.returncode, file.read_text()) == (1, "yesterday's")
    assert done.stderr == f"chat: {file} exists: name another file, or add --force.\n"
    forced = chat(cast.settings, "backup", str(file), "--force", MIGRATE_DATABASE_URL=fresh_owner_url)
    assert forced.returncode == 0, forced.stderr
    assert file.read_bytes().startswith(b"PGDMP")


def test_a_failed_backup_is_one_sentence_and_leaves_no_file(cast: Cast, tmp_path: Path) -> None:
    gone = msgspec.structs.replace(cast.settings, database_url="postgresql://chat:secret@127.0.0.1:1/chat")
    done = chat(gone, "backup", str(tmp_path / "chat.dump"))
    assert done.returncode == 1
    assert done.stderr.startswith("chat: No backup was written: pg_dump: error:")
    assert len(done.stderr.splitlines()) == 1
    assert "secret" not in done.stderr
    assert list(tmp_path.iterdir()) == []
