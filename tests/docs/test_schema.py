"""docs/schema.md shows the models, and the models are what a migrated database has."""

from __future__ import annotations

import re

import psycopg

from app.domain import metadata
from app.domain.messages.models import PARTITIONS
from tests.docs import generate, schema_tables
from tests.docs.markers import names

TEXT = generate.SCHEMA.read_text(encoding="utf-8")


def test_the_diagram_and_the_lists_are_those_of_the_models() -> None:
    assert generate.regenerated(generate.SCHEMA) == TEXT, "make documents"


def test_every_table_has_a_section_with_words_and_a_list() -> None:
    assert sorted(names(TEXT)) == sorted(["diagram", *metadata.metadata.tables])
    for name in metadata.metadata.tables:
        (section,) = re.findall(rf"^## `{name}`\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
        words, _, rest = section.partition(f"<!-- generated: {name} -->")
        assert len(words.split()) > 15, name
        assert "primary key" in rest


def test_a_migrated_database_has_what_the_models_say(database_url: str) -> None:
    models, found = schema_tables.from_models(), schema_tables.from_database(database_url)
    assert found.keys() == models.keys()
    for name, table in models.items():
        assert found[name] == table


def test_a_difference_would_be_seen(fresh_database_url: str, fresh_owner_url: str) -> None:
    models = schema_tables.from_models()
    for change, name in (
        ("ALTER TABLE users ALTER email TYPE text", "users"),
        ("DROP INDEX ix_memberships_user_id", "memberships"),
        ("ALTER TABLE conversations DROP CONSTRAINT ck_conversations_position", "conversations"),
        ("ALTER TABLE login_sessions ALTER user_agent DROP NOT NULL", "login_sessions"),
        ("CREATE TABLE strays (id int)", "strays"),
    ):
        assert schema_tables.from_database(fresh_database_url).get(name) == models.get(name)
        with psycopg.connect(fresh_owner_url, connect_timeout=3) as connection:
            connection.execute(change.encode())
        assert schema_tables.from_database(fresh_database_url)[name] != models.get(name)


def test_the_log_has_as_many_partitions_as_the_document_says(database_url: str) -> None:
    with psycopg.connect(database_url, connect_timeout=3) as connection:
        row = connection.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'messages'::regclass").fetchone()
    assert row == (PARTITIONS,)
    assert f"{PARTITIONS} partitions" in TEXT
