"""docs/routes.md has every route of the program, and says what each field of a client's rows means."""

from __future__ import annotations

import re

from tests.docs import generate, route_tables
from tests.docs.route_tables import EXTENDED, MEANINGS
from tests.support.published import Json

TEXT = generate.ROUTES.read_text(encoding="utf-8")


def test_the_page_is_that_of_the_program() -> None:
    assert generate.regenerated(generate.ROUTES) == TEXT, "make documents"


def test_every_route_stands_once_on_the_page(document: Json) -> None:
    listed = re.findall(r"^\| `([A-Z]+ /[^`]*)`", TEXT, re.MULTILINE)
    routes = [
        f"{method.upper()} {path.removeprefix(route_tables.VERSION) or '/'}"
        for path, methods in document["paths"].items()
        for method in methods
    ]
    assert sorted(listed) == sorted(routes)


def test_every_field_of_a_clients_row_is_explained(document: Json) -> None:
    for name, meanings in MEANINGS.items():
        inherited = MEANINGS[EXTENDED[name]] if name in EXTENDED else {}
        assert {*meanings, *inherited} == set(document["components"]["schemas"][name]["properties"]), name
    explained = re.findall(r"^\| `reply_to` \| number or null \| the `seq` \(not the `id`\)", TEXT, re.MULTILINE)
    assert len(explained) == len(["Message", "MessageDetail"])


def test_a_body_names_its_optional_fields() -> None:
    body = TEXT.split("### MessageToSend\n")[1].split("\n### ")[0]
    assert "| `message_type` | `audio`, `image`, `text`, `video` |" in body
    assert "| `client_id` | text or null, optional |" in body
