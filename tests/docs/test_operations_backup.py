"""The backup of docs/operations.md, run with its own options: what it restores is the chat, and goes on."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
from pathlib import Path

import msgspec
import psycopg

from app.cli.database import migrate
from app.local.os_account import OsAccount
from app.settings import Settings
from tests.docs.test_docs_references import OPERATIONS
from tests.support.command import chat
from tests.support.servers import TestPostgres, count
from tests.support.web import API, join, log_in, running

SECONDS = 60


def command(program: str, url: str, directory: Path) -> list[str]:
    """The documented command line, on this database instead of the compose file's."""
    (line,) = [line for line in OPERATIONS.splitlines() if f" {program} " in line and line.startswith("docker ")]
    documented = shlex.split(line.partition(f" {program} ")[2].partition(" > ")[0].partition(" < ")[0])
    at = documented.index("--username")
    del documented[at : at + 2]
    named = [url if one == "chat" else one for one in documented]
    assert url in named
    return [str(OsAccount(directory).binaries / program), *named]


def run(line: list[str], given: bytes = b"") -> bytes:
    done = subprocess.run(line, input=given, capture_output=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


async def test_a_backup_is_restored_and_the_chat_continues(
    settings: Settings, fresh_database_url: str, fresh_owner_url: str, postgres: TestPostgres
) -> None:
    one = msgspec.structs.replace(settings, database_url=fresh_database_url)
    async with running(one) as client:
        ada = await join(client)
        created = await client.post(f"{API}/conversations/", json={"name": "Engines"}, headers=ada.headers)
        log = f"{API}/conversations/{created.json()['id']}/messages/"
        body = {"message_type": "text", "text": "kept", "client_id": "one"}
        kept = (await client.post(log, json=body, headers=ada.headers)).json()
    dump = await asyncio.to_thread(run, command("pg_dump", fresh_owner_url, settings.data_dir))
    other = postgres.create("chat_restored", migrated=False)
    try:
        await asyncio.to_thread(run, command("pg_restore", other, settings.data_dir), dump)
        assert count(other, "SELECT count(*) FROM messages") == 1
        url = postgres.url("chat_restored")
        await asyncio.to_thread(
            migrate, *(one.replace("postgresql:", "postgresql+psycopg:", 1) for one in (other, url))
        )
        async with running(msgspec.structs.replace(settings, database_url=url)) as client:
            ada = await log_in(client, ada.email)
            replayed = await client.post(log, json=body, headers=ada.headers)
            assert (replayed.status_code, replayed.json()) == (200, kept)
            sent = await client.post(log, json=body | {"client_id": "two"}, headers=ada.headers)
            assert (sent.status_code, sent.json()["seq"]) == (201, 2)
    finally:
        postgres.drop("chat_restored")


def test_the_documented_script_replaces_a_database_with_the_dump(
    fresh_database_url: str, fresh_owner_url: str, settings: Settings, tmp_path: Path
) -> None:
    """As with `chat up`, whose server the machine's own programs may not fit."""
    binaries = OsAccount(settings.data_dir).binaries
    with psycopg.connect(fresh_owner_url) as connection:
        connection.execute("INSERT INTO progress (name, bucket) VALUES ('of the dump', 1)")
    dump, script = tmp_path / "chat.dump", tmp_path / "chat.sql"
    dump.write_bytes(run(command("pg_dump", fresh_owner_url, settings.data_dir)))
    with psycopg.connect(fresh_owner_url) as connection:
        connection.execute("DELETE FROM progress")

    def documented(start: str) -> list[str]:
        (line,) = [line for line in OPERATIONS.splitlines() if line.startswith(start)]
        files = {"chat.dump": str(dump), "chat.sql": str(script)}
        return [files.get(word, word) for word in shlex.split(line)]

    _, *options = documented(".venv/lib/python3.*/")
    run([str(binaries / "pg_restore"), *options])
    _, verb, *words = documented(".venv/bin/chat psql --owner --single-transaction")
    assert (verb, words[0]) == ("psql", "--owner")
    own = msgspec.structs.replace(settings, database_url=fresh_database_url)
    done = chat(own, verb, *words, MIGRATE_DATABASE_URL=fresh_owner_url)
    assert done.returncode == 0, done.stderr
    assert chat(own, "migrate", MIGRATE_DATABASE_URL=fresh_owner_url).returncode == 0
    assert count(fresh_database_url, "SELECT count(*) FROM progress WHERE name = 'of the dump'") == 1
