"""Operators, made as `chat create-operator` makes them, without its password prompt."""

from __future__ import annotations

import psycopg

from tests.support.client import Node, Person


def promote(database_url: str, email: str) -> None:
    with psycopg.connect(database_url, connect_timeout=3) as connection:
        done = connection.execute("UPDATE users SET is_operator = true WHERE email = %s", [email])
        assert done.rowcount == 1


async def root(node: Node, database_url: str) -> Person:
    """root, the operator of the chat."""
    person = await node.register("Root")
    promote(database_url, person.email)
    return person
