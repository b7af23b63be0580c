"""Lists a user's 50 conversations with long histories, each with its last message and unread count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bench.load import request
from bench.measures import Plan
from bench.references import litestar_alone, textbook
from bench.stage import Stage

CLIENTS = 16


@contextmanager
def list_50(stage: Stage) -> Iterator[Plan]:
    wanted = [request("GET", "/api/v1/conversations/", stage.token(reader)) for reader in stage.people.readers()]
    theirs = [request("GET", "/conversations/", stage.textbook_token(reader)) for reader in stage.people.readers()]
    lists = stage.feed("list_50", stage.api, wanted)
    yield Plan(
        "lists/s",
        {"list": lambda seconds: lists.play(clients=stage.pace.clients(CLIENTS), seconds=seconds).rate},
        {"litestar_alone": litestar_alone(stage, CLIENTS), "textbook": textbook(stage, "list", CLIENTS, theirs)},
    )
