"""DATABASE_URL: every form that libpq reads works for every reader of it; any other stops the start with a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from app.cli.database import migrate
from app.db import Database, open_engine
from app.db.database_url import hosts, parameters
from app.settings import SettingsRefused, load

PLACES: list[tuple[str, list[tuple[Any, Any]], Any]] = [
    ("postgresql://u:p@db/chat", [("db", None)], None),
    ("postgres://u:p@db:5433/chat", [("db", "5433")], None),
    ("postgresql+psycopg://u:p@[::1]:5433/chat", [("::1", "5433")], None),
    ("postgresql://u:p@a:1,b:2/chat", [("a", "1"), ("b", "2")], "read-write"),
    ("postgresql://u:p@a,b/chat?port=7", [("a", "7"), ("b", "7")], "read-write"),
    ("postgresql:///chat?host=a,b&port=1,2&user=u", [("a", "1"), ("b", "2")], "read-write"),
    ("postgresql://u@a,b/chat?target_session_attrs=primary", [("a", None), ("b", None)], "primary"),
    ("postgresql://u:p@%2Frun%2Fpostgresql/chat", [("/run/postgresql", None)], None),
    ("postgresql:///chat?host=/run/postgresql", [("/run/postgresql", None)], None),
]


@pytest.mark.parametrize(("url", "places", "attributes"), PLACES)
def test_each_form_names_its_hosts(url: str, places: list[tuple[Any, Any]], attributes: Any) -> None:
    found = parameters(url)
    assert [(one.get("host"), one.get("port") or None) for one in hosts(found)] == places
    assert found.get("target_session_attrs") == attributes


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter%ZZ@db/chat",
        "postgresql://u:hunter@db:port/chat",
        "postgresql://u:hunter@db:0/chat",
        "postgresql://u:hunter@a:1,b:2,c/chat?port=1,2",
        "postgresql://u:hunter@/chat?host=a:1&host=b:2",
        "postgresql://u:hunter@db/chat?hunter=2",
        "postgresql://u:hunter@[::1/chat",
    ],
)
def test_an_invalid_database_url_stops_the_start_and_shows_no_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused) as refused:
        load({"DATABASE_URL": url, "REDIS_URL": "redis://cache"}, env_file=tmp_path / "none")
    [problem] = refused.value.problems
    assert problem.startswith("DATABASE_URL: ")
    assert "hunter" not in problem


async def test_every_reader_reads_several_hosts_and_options(empty_database_url: str) -> None:
    """The first host refuses connections; a schema is named in the URL's own options."""
    head, _, tail = empty_database_url.rpartition("@")
    place, _, name = tail.partition("/")
    url = f"{head}@127.0.0.1:1,{place}/{name}?options=-csearch_path%3Delsewhere"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA elsewhere")
    migrate(url)
    database = Database(open_engine(url, pool_size=1))
    async with database.read_only() as connection:
        found = await connection.execute(text("SELECT to_regclass('messages') = to_regclass('elsewhere.messages')"))
        assert found.scalar_one() is True
    await database.close()
