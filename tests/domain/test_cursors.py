"""Cursors of every list are those that clients hold already, and no list accepts another's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.domain.audit import queries as audit
from app.domain.auth import logins
from app.domain.broadcasts import queries as broadcasts
from app.domain.conversations import queries as conversations
from app.domain.cursors import IdKey, Keyset, UserKey
from app.domain.errors import Invalid
from app.domain.inbox import queries as inbox
from app.domain.jobs import failed_tasks
from app.domain.notifications import queries as notifications
from app.domain.operators import queries as operators
from app.domain.throttling import policies
from app.domain.users import queries as users

ID = UUID("01234567-89ab-cdef-0123-456789abcdef")
AT = datetime(2026, 11, 27, 18, 30, 0, 123456, tzinfo=UTC)
ENCODED_ID = "IjAxMjM0NTY3LTg5YWItY2RlZi0wMTIzLTQ1Njc4OWFiY2RlZiJ9"

CURSORS: dict[str, tuple[Keyset[Any], msgspec.Struct, str]] = {
    "failed tasks": (
        failed_tasks._KEYSET,
        IdKey(ID),
        "eyJ0eXBlIjoiZmFpbGVkIiwiaWQiOiIwMTIzNDU2Ny04OWFiLWNkZWYtMDEyMy00NTY3ODlhYmNkZWYifQ",
    ),
    "people": (
        users._KEYSET,
        IdKey(ID),
        "eyJ0eXBlIjoicGVyc29uIiwiaWQiOiIwMTIzNDU2Ny04OWFiLWNkZWYtMDEyMy00NTY3ODlhYmNkZWYifQ",
    ),
    "logins": (logins._KEYSET, IdKey(ID), f"eyJ0eXBlIjoibG9naW4iLCJpZCI6{ENCODED_ID}"),
    "members": (
        conversations._KEYSET,
        UserKey(ID),
        "eyJ0eXBlIjoibWVtYmVycyIsInVzZXIiOiIwMTIzNDU2Ny04OWFiLWNkZWYtMDEyMy00NTY3ODlhYmNkZWYifQ",
    ),
    "accounts": (
        operators._ACCOUNTS,
        IdKey(ID),
        "eyJ0eXBlIjoiYWNjb3VudCIsImlkIjoiMDEyMzQ1NjctODlhYi1jZGVmLTAxMjMtNDU2Nzg5YWJjZGVmIn0",
    ),
    "conversations of operators": (
        operators._CONVERSATIONS,
        IdKey(ID),
        "eyJ0eXBlIjoiY29udmVyc2F0aW9uIHJlY29yZCIsImlkIjoiMDEyMzQ1NjctODlhYi1jZGVmLTAxMjMtNDU2Nzg5YWJjZGVmIn0",
    ),
    "notifications": (
        notifications._KEYSET,
        IdKey(ID),
        "eyJ0eXBlIjoibm90aWZpY2F0aW9uIiwiaWQiOiIwMTIzNDU2Ny04OWFiLWNkZWYtMDEyMy00NTY3ODlhYmNkZWYifQ",
    ),
    "throttle exceptions": (
        policies._EXCEPTIONS,
        UserKey(ID),
        "eyJ0eXBlIjoidGhyb3R0bGUgZXhjZXB0aW9uIiwidXNlciI6IjAxMjM0NTY3LTg5YWItY2RlZi0wMTIzLTQ1Njc4OWFiY2RlZiJ9",
    ),
    "public conversations": (
        inbox._OTHERS,
        IdKey(ID),
        "eyJ0eXBlIjoiZGlzY292ZXIiLCJpZCI6IjAxMjM0NTY3LTg5YWItY2RlZi0wMTIzLTQ1Njc4OWFiY2RlZiJ9",
    ),
    "broadcasts": (
        broadcasts._KEYSET,
        IdKey(ID),
        "eyJ0eXBlIjoiYnJvYWRjYXN0IiwiaWQiOiIwMTIzNDU2Ny04OWFiLWNkZWYtMDEyMy00NTY3ODlhYmNkZWYifQ",
    ),
    "audit": (
        audit._KEYSET,
        audit._MomentKey(AT, ID),
        (
            "eyJ0eXBlIjoiYXVkaXQiLCJhdCI6IjIwMjYtMTEtMjdUMTg6MzA6MDAuMTIzNDU2WiIsImlkIjoiMDEyMzQ1NjctODlhYi1jZGVmLTAxMjMt"
            "NDU2Nzg5YWJjZGVmIn0"
        ),
    ),
    "own conversations": (
        inbox._OWN,
        inbox._ActivityKey(AT, ID),
        (
            "eyJ0eXBlIjoiaW5ib3giLCJ1cGRhdGVkX2F0IjoiMjAyNi0xMS0yN1QxODozMDowMC4xMjM0NTZaIiwiaWQiOiIwMTIzNDU2Ny04OWFiLWNk"
            "ZWYtMDEyMy00NTY3ODlhYmNkZWYifQ"
        ),
    ),
}
"""By list: its key set, a key, and the cursor that release 1.0.0 issued for this key."""


@pytest.mark.parametrize("of", CURSORS)
def test_a_cursor_is_the_one_that_clients_hold_already(of: str) -> None:
    keyset, key, cursor = CURSORS[of]
    assert keyset.page([key, key], 1, lambda row: row) == ([key], cursor)
    decoded = keyset.key(cursor)
    assert decoded is not None
    assert msgspec.structs.asdict(decoded) == msgspec.structs.asdict(key)


@pytest.mark.parametrize("of", CURSORS)
def test_a_list_refuses_the_cursors_of_all_others(of: str) -> None:
    keyset = CURSORS[of][0]
    for other, (_, _, cursor) in CURSORS.items():
        if other != of:
            with pytest.raises(Invalid):
                keyset.key(cursor)


def test_a_last_page_has_no_cursor() -> None:
    keyset = Keyset("letters", IdKey)
    assert keyset.page([ID], 1, IdKey) == ([ID], None)
    assert keyset.page([], 1, IdKey) == ([], None)


def test_a_first_page_has_no_key() -> None:
    assert Keyset("letters", IdKey).key(None) is None
