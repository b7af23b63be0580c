"""A chat with its own database and Redis, whose pages a browser opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg

from app.local.valkey import EmbeddedValkey
from tests.support.processes import Processes, processes
from tests.support.servers import TestPostgres, public_directory, run_valkey, worker_name

MANY_MESSAGES = """
    WITH written AS (
        INSERT INTO messages (conversation_id, seq, id, sender_id, created_position, position, message_type, text,
                              sent_at, updated_at)
        SELECT %(conversation)s, seq, gen_random_uuid(), (%(senders)s::uuid[])[1 + seq %% array_length(%(senders)s, 1)],
               position + seq, position + seq, 'text', 'number ' || seq || repeat(' and more words', seq %% 17),
               at, at
        FROM conversations, generate_series(1, %(count)s) AS seq,
             LATERAL (SELECT now() - interval '30 days' + seq * interval '4 minutes' AS at) AS time
        WHERE id = %(conversation)s
    )
    UPDATE conversations SET last_seq = %(count)s, position = position + %(count)s WHERE id = %(conversation)s
"""


class Site(msgspec.Struct, frozen=True):
    processes: Processes
    valkey: EmbeddedValkey
    database_url: str

    def stored(self, conversation: str) -> list[dict[str, Any]]:
        """The conversation's messages as Postgres has them: `seq` and `text`."""
        with psycopg.connect(self.database_url, connect_timeout=5) as connection:
            rows = connection.execute(
                "SELECT seq, text FROM messages WHERE conversation_id = %s ORDER BY seq", [conversation]
            ).fetchall()
        return [{"seq": seq, "text": text} for seq, text in rows]

    def fill(self, conversation: str, senders: list[str], count: int) -> None:
        """Writes `count` messages of the last month into an empty conversation, past the API."""
        with psycopg.connect(self.database_url, connect_timeout=5) as connection:
            connection.execute(MANY_MESSAGES, {"conversation": conversation, "senders": senders, "count": count})
            connection.execute("UPDATE memberships SET read_seq = %s WHERE conversation_id = %s", [count, conversation])


@contextmanager
def site(postgres: TestPostgres) -> Iterator[Site]:
    database = f"chat_{worker_name()}_site"
    with (
        public_directory() as directory,
        run_valkey() as valkey,
        processes(directory, postgres.create(database), valkey.url) as started,
    ):
        # What beat and the worker decide in a minute is decided in some seconds.
        started.environment |= {"NOTIFY_AFTER_SECONDS": "0"}
        yield Site(started, valkey, started.environment["DATABASE_URL"])
    postgres.drop(database)
