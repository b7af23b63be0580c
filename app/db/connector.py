"""Opens connections to the writable server and sets every session alike: values are read and written in one format and
every wait is bounded, whatever the settings of the database, role or server.

With several hosts, the last known primary is tried first. If it does not answer soon, the next host is tried in
parallel, so a dead first host costs a fraction of a second, and only once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

import psycopg
from psycopg import sql

from app.db.database_url import Parameters, hosts, parameters
from app.domain.error_catalogue import database_unavailable
from app.domain.errors import Unavailable

CONNECT_SECONDS: Final = 3
STAGGER_SECONDS: Final = 0.3
"""Wait before the next host is tried in parallel, as in RFC 8305, which recommends 250 ms."""
TRANSACTION_SECONDS: Final = 15
"""The driver needs up to 10 s more to give up on an unresponsive server: 25 s in all."""

SESSION_SETTINGS: Final = {
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "search_path": '"$user", public',
}
"""How values and names are read and written, and what a statement sees. Only the URL's `options` may override
`search_path`. `default_transaction_read_only` is left to the server: it marks a server that refuses writes."""

TIMEOUT_SETTINGS: Final = {
    "lock_timeout": "1s",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "5s",
}

CONNECTION_PARAMETERS: Final[Parameters] = {
    "connect_timeout": CONNECT_SECONDS,
    "application_name": "chat",
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
POOLER_PROBES: Final = 3

Connection = psycopg.AsyncConnection[Any]


class PoolerRefused(Unavailable):
    """A pooler in front of Postgres gives each transaction a different session."""

    def __init__(self) -> None:
        super().__init__(database_unavailable.code, database_unavailable.detail)

    sentence = (
        "DATABASE_URL: the pooler there (such as pgbouncer) gives each transaction another session of Postgres, and the"
        " chat's sessions have settings and prepared statements; use its session mode (pool_mode = session), or connect"
        " to Postgres itself"
    )


class Connections:
    """Opens the connections of one engine. `url` has any form that libpq knows; its scheme is ignored.

    Raises AddressRefused.
    """

    def __init__(self, url: str) -> None:
        self._shared = {**parameters(url), **CONNECTION_PARAMETERS}
        self._hosts = hosts(self._shared)
        self._best = 0
        self._pooler_is_fine = False

    async def open(self) -> Connection:
        """Returns a connection with our session settings.

        Raises:
            psycopg.OperationalError: no host answers, or none accepts writes.
            PoolerRefused: a pooler would change the session between transactions.
        """
        connection = await self._connect()
        try:
            await self._apply_settings(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _connect(self) -> Connection:
        order = sorted(range(len(self._hosts)), key=lambda at: at != self._best)
        errors: list[BaseException] = []
        trying: dict[asyncio.Task[Connection], int] = {}
        try:
            while True:
                if order:
                    at = order.pop(0)
                    trying[asyncio.create_task(_connect(self._hosts[at]))] = at
                wait = STAGGER_SECONDS if order else None
                done, _ = await asyncio.wait(trying, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    at = trying.pop(task)
                    if (error := task.exception()) is None:
                        self._best = at
                        return task.result()
                    errors.append(error)
                if not trying and not order:
                    raise errors[-1]
        finally:
            for task in trying:
                task.cancel()
                task.add_done_callback(_close)

    async def _apply_settings(self, connection: Connection) -> None:
        if not self._pooler_is_fine and await _backend_pid(connection) != connection.info.backend_pid:
            await self._verify(connection)
            self._pooler_is_fine = True
        wanted = session_settings(self._shared) | TIMEOUT_SETTINGS
        if connection.info.server_version >= 170000:
            # Older servers have no such setting: only our own deadline applies.
            wanted["transaction_timeout"] = f"{TRANSACTION_SECONDS}s"
        every = sql.SQL(", ").join([sql.SQL("set_config({}, {}, false)").format(*pair) for pair in wanted.items()])
        await connection.execute(sql.SQL("SELECT {}").format(every))
        await connection.commit()  # otherwise the first rollback would undo the settings

    async def _verify(self, connection: Connection) -> None:
        """Runs if a pooler gave us this connection: Postgres reports another process id than the handshake did. Raises
        PoolerRefused if the pooler reassigns sessions between transactions: while a second connection of ours is in a
        transaction, this one gets another session, or none."""
        for _ in range(POOLER_PROBES):
            backend_pid = await _backend_pid(connection)
            other = await self._connect()
            try:
                if not await _with_timeout(_backend_pid(other, stay=True)):
                    return  # the pooler keeps our session, and has no second one
                if await _with_timeout(_backend_pid(connection)) != backend_pid:
                    raise PoolerRefused
            finally:
                await other.close()


def session_settings(found: Parameters) -> dict[str, str]:
    """Returns VALUES without what the URL sets itself."""
    options = str(found.get("options", ""))
    return {name: value for name, value in SESSION_SETTINGS.items() if name != "search_path" or name not in options}


async def _connect(found: Parameters) -> Connection:
    return await psycopg.AsyncConnection.connect(prepare_threshold=1, **found)


async def _backend_pid(connection: Connection, *, stay: bool = False) -> int:
    """Returns the server process id of a transaction. `stay` leaves the transaction open."""
    row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    assert row is not None
    if not stay:
        await connection.rollback()
    return int(row[0])


async def _with_timeout(query: Awaitable[int]) -> int:
    """Returns the result, or 0 after a timeout."""
    try:
        return await asyncio.wait_for(query, CONNECT_SECONDS)
    except TimeoutError:
        return 0


def _close(task: asyncio.Task[Connection]) -> None:
    """Closes a connection that opened after another host had won."""
    if not task.cancelled() and task.exception() is None:
        task.result().pgconn.finish()


async def pooler_refusal(url: str) -> str:
    """Returns a sentence saying why the chat cannot run on this database. Empty if it can, or if the database is down:
    it may start later."""
    try:
        connection = await Connections(url).open()
    except PoolerRefused as refused:
        return refused.sentence
    except (psycopg.Error, TimeoutError):
        return ""
    await connection.close()
    return ""
