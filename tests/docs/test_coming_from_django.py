"""docs/coming-from-django.md names routes, fields, frames and settings that are there, and all of the original's."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from app.api.errors.codes import CODES
from app.domain.events import ChangeType
from app.settings import Settings
from tests.docs.markers import ROOT
from tests.docs.test_realtime import sent
from tests.support.published import Json

TEXT = (ROOT / "docs" / "coming-from-django.md").read_text(encoding="utf-8")
METHOD = r"(?:GET|POST|PATCH|PUT|DELETE)"
ORIGINAL = """
login/ refresh/ verify/ users/ me/ forgot-password/ forgot-password-confirm/ reset-password/ conversations/
conversations/{id}/ …/join/ …/leave_conversation/ …/add_member/ …/remove_member/ …/make_admin/ …/mark_message_read/
…/messages/ …/messages/{id}/
"""
EVENTS = "user.connected new.message user.join user.added user.removed user.left new.admin"
FIELDS = "number_of_unreads created_by members is_mine sent_by seen_by media_url seen_at"


def routes_here() -> set[str]:
    """`METHOD /path/` as the page writes ours: with a slash in front."""
    found = re.findall(rf"`({METHOD}) (/[^\s`?]*)(?:\?[^`]*)?`", TEXT)
    return {f"{method} {path.rstrip('/')}" for method, path in found}


def there(document: Json) -> set[str]:
    return {
        f"{method.upper()} {re.sub(r'{[^}]+}', '{id}', path.removeprefix('/api/v1'))}"
        for path, methods in document["paths"].items()
        for method in methods
    }


def test_every_named_route_exists(document: Json) -> None:
    assert len(routes_here()) > 30
    assert routes_here() - there(document) == set()


def test_every_route_of_accounts_conversations_and_messages_is_named(document: Json) -> None:
    # Of operators there was nothing: docs/operations.md is about them.
    ours = {route for route in there(document) - routes_here() if " /ops/" not in route}
    rest = {route for route in ours if not route.endswith(("/livez", "/readyz", "/metrics"))}
    assert rest == {"GET ", "POST /ws-ticket"}


@pytest.mark.parametrize("route", ORIGINAL.split())
def test_every_route_of_the_original_is_named(route: str) -> None:
    assert re.search(rf"`(?:{METHOD}, )*{METHOD}? ?{re.escape(route)}[`?,]|`{METHOD} {re.escape(route)}", TEXT), route


@pytest.mark.parametrize("event", EVENTS.split())
def test_every_event_of_the_original_has_its_successor(event: str) -> None:
    (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| `{event}`")]
    successors = set(re.findall(r"`([a-z]+(?:\.[a-z]+)?)`", row.split("|")[2]))
    assert successors
    assert successors <= set(sent())


@pytest.mark.parametrize("field", FIELDS.split())
def test_every_field_that_changed_is_named(field: str) -> None:
    assert f"`{field}`" in TEXT


def test_every_named_frame_and_code_exists() -> None:
    names = {name for name in re.findall(r"`([a-z]+\.[a-z]+)`", TEXT) if name not in EVENTS}
    assert names - {"sent_by.id", "render.yaml"} <= set(get_args(ChangeType)) | set(sent())
    codes = set(re.findall(r"409 `([a-z_]+)`", TEXT))
    assert len(codes) >= 4
    assert codes <= {code.partition(" ")[2] for code in CODES}


def test_every_named_setting_exists_with_its_default() -> None:
    for name, value in re.findall(r"`(THROTTLE_\w+)=([^`]+)`", TEXT):
        assert str(getattr(Settings(), name.lower())) == value
