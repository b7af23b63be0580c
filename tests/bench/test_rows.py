"""The benchmark itself, small and short: every row comes to a figure, nothing is left of it. No figure is judged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil
import psycopg
import pytest

from app.settings import Settings
from bench.__main__ import ROWS
from bench.measures import Results
from tests.bench.test_report import BESIDES
from tests.support.chat import alive, until
from tests.support.servers import TestPostgres

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 230
"""An idle machine needs about 45, one that runs the other tests as well more than 115."""
pytestmark = pytest.mark.timeout(SECONDS + 10)


@contextmanager
def bench(data_dir: Path, postgres: TestPostgres, redis_url: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m bench --quick` on the run's own servers."""
    inherited = {name: value for name, value in os.environ.items() if name.lower() not in Settings.__struct_fields__}
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", "--quick", "--data-dir", str(data_dir), *arguments],
        cwd=ROOT,
        env={
            **inherited,
            "DATABASE_URL": postgres.admin_url("postgres"),
            "REDIS_URL": redis_url,
            "PYTHONUNBUFFERED": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def databases(postgres: TestPostgres) -> set[str]:
    with psycopg.connect(postgres.admin_url("postgres"), connect_timeout=3) as connection:
        return {str(row[0]) for row in connection.execute("SELECT datname FROM pg_database")}


def test_every_row_that_is_built_comes_to_a_figure(tmp_path: Path, postgres: TestPostgres, redis_url: str) -> None:
    file = tmp_path / "results.json"
    with bench(tmp_path, postgres, redis_url, "--results", str(file), "--seconds=0.25") as process:
        output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output
    results = msgspec.json.decode(file.read_bytes(), type=Results)
    assert {row.name for row in results.rows} - BESIDES == set(ROWS)
    assert all(row.value > 0 and all(row.references.values()) for row in results.rows)


def test_stopped_in_the_middle_it_leaves_nothing(tmp_path: Path, postgres: TestPostgres, redis_url: str) -> None:
    before = databases(postgres)
    with bench(tmp_path, postgres, redis_url, "--only=send_1_p50_ms", "--seconds=60") as process:
        # The API, the trivial server, and the load on one of them: the middle of a round.
        until(lambda: len(psutil.Process(process.pid).children()) >= 3, 60)
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert alive(family) == []
    assert {name for name in databases(postgres) - before if "bench" in name} == set()
