"""Settings of a database that change how values are read and written make no difference."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg import sql

from tests.support.client import Node
from tests.support.processes import Processes
from tests.support.servers import TestPostgres, worker_name

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120)]

STRANGE = {
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kathmandu",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "standard_conforming_strings": "off",
    "client_encoding": "LATIN1",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "default_transaction_isolation": "serializable",
    "search_path": "nowhere",
    "statement_timeout": "5s",
    "lock_timeout": "1ms",
}


@pytest.fixture
async def node(postgres: TestPostgres, started: Processes) -> AsyncIterator[Node]:
    """A process on a database with all of them, migrated through them."""
    from app.cli.database import migrate

    name = f"chat_{worker_name()}_strange"
    url = postgres.create(name, migrated=False)
    with postgres.server.connect() as connection:
        for setting, value in STRANGE.items():
            statement = sql.SQL("ALTER DATABASE {} SET {} = {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(setting), sql.Literal(value)))
    with psycopg.connect(url, client_encoding="UTF8", options="-c statement_timeout=0") as connection:
        assert connection.execute("SHOW DateStyle").fetchone() == ("SQL, DMY",)
    migrate(url)
    (api,) = started.apis({"DATABASE_URL": url})
    found = Node(api.url)
    yield found
    await found.close()
    api.end()
    postgres.drop(name)


async def test_settings_of_a_database_make_no_difference(node: Node) -> None:
    ada, linus = [await node.register(name) for name in ("Ada", "Linus")]
    engines = await ada.converse(linus)
    async with linus.listening() as socket:
        sent = (await ada.say(engines, "back\\slash 'quote' ☃ @Linus", client_id="one")).good(201)
        assert (await socket.expect("message.created"))["data"] == sent
    assert (await ada.say(engines, "back\\slash 'quote' ☃ @Linus", client_id="one")).good(200) == sent
    assert await ada.history(engines) == [sent]
    assert sent["sent_at"].endswith("Z")
    [listed] = (await linus.get("/conversations/"))["items"]
    assert (listed["unread"], listed["last_message"]["text"]) == (1, sent["text"])
    read = (await linus.call("PUT", f"/conversations/{engines}/read/", {"seq": 1})).good(200)
    assert read["unread"] == 0
    assert [one["first_name"] for one in (await ada.get("/users/", search="linus"))["items"]] == ["Linus"]
    await node.log_in(ada.email)
