"""The migrations make the schema the models describe, and can be run by several deploys at once."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest
from alembic.config import Config

from alembic import command
from app.cli import ROOT, migrate
from app.settings import environment_for_child


def sqlalchemy(url: str) -> str:
    return url.replace("postgresql:", "postgresql+psycopg:", 1)


def schema(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns "
            "WHERE table_schema = 'public' ORDER BY 1, 2"
        ).fetchall()


# Alembic compares an index on an expression with an operator class (trigrams) by its name only, and says so.
@pytest.mark.filterwarnings("ignore:Expression #1 .* detected to include an operator clause:UserWarning")
def test_the_models_and_the_migrations_are_in_step(fresh_database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = sqlalchemy(fresh_database_url)
    command.check(config)
    assert "No new upgrade operations detected" in capsys.readouterr().out


def test_migrating_again_changes_nothing(fresh_database_url: str) -> None:
    before = schema(fresh_database_url)
    assert before
    migrate(sqlalchemy(fresh_database_url))
    assert schema(fresh_database_url) == before


def test_deploys_that_migrate_at_once_wait_in_line(
    empty_database_url: str, fresh_database_url: str, redis_url: str
) -> None:
    environment = environment_for_child(DATABASE_URL=empty_database_url, REDIS_URL=redis_url)
    deploys = [
        subprocess.Popen([sys.executable, "-m", "app.cli", "migrate"], cwd=ROOT, env=environment) for _ in range(3)
    ]
    assert [deploy.wait(60) for deploy in deploys] == [0, 0, 0]
    assert schema(empty_database_url) == schema(fresh_database_url)


def test_there_is_one_head() -> None:
    from alembic.script import ScriptDirectory

    assert len(ScriptDirectory.from_config(Config(ROOT / "alembic.ini")).get_heads()) == 1
