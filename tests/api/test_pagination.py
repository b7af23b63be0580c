"""Every list of the document refuses sizes and places that make no sense."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from app.settings import Settings
from tests.support.operators import promote
from tests.support.web import API, Client, Someone, join

LEAST = {"limit": 1, "before": 1, "around": 1, "after": 0}
"""The smallest value of each numeric parameter that a list may have (contract)."""


@pytest.fixture
async def root(api: Client, settings: Settings) -> Someone:
    root = await join(api, "Root")
    promote(settings.database_url, root.email)
    return root


async def test_no_list_accepts_a_number_below_its_minimum(api: Client, root: Someone) -> None:
    group = (await api.post(f"{API}/conversations/", json={"name": "Engines"}, headers=root.headers)).json()["id"]
    said = {"message_type": "text", "text": "hello"}
    message = (await api.post(f"{API}/conversations/{group}/messages/", json=said, headers=root.headers)).json()["id"]
    paths: dict[str, Any] = (await api.get("/openapi.json")).json()["paths"]
    tried, found = 0, {}
    for template, operations in paths.items():
        for parameter in operations.get("get", {}).get("parameters", ()):
            least = LEAST.get(parameter["name"])
            if least is None or parameter["in"] != "query" or template.endswith("/what-if"):
                continue  # the `limit` of a what-if is a throttle's
            path = template.format_map(defaultdict(lambda: "messages", conversation_id=group, message_id=message))
            for value, refused in ((least, False), (least - 1, True), (-7, True)):
                answer = await api.get(path, params={parameter["name"]: value}, headers=root.headers)
                tried += 1
                if (answer.status_code == 400) is not refused:
                    found[f"{path}?{parameter['name']}={value}"] = answer.status_code
    assert found == {}
    assert tried >= 3 * 12
