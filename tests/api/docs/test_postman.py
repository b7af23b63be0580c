"""docs/postman.json is the OpenAPI document as a collection, in step with it, and its requests work as they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from app.api.docs.postman import SCHEMA, VARIABLES, written
from app.domain.orm import uuid7
from tests.docs.markers import ROOT
from tests.support.processes import Api
from tests.support.published import Json

FILE = ROOT / "docs" / "postman.json"


@pytest.fixture(scope="module")
def kept() -> Json:
    found: Json = msgspec.json.decode(FILE.read_bytes())
    return found


def requests(kept: Json) -> Iterator[tuple[str, Json]]:
    for folder in kept["item"]:
        for item in folder["item"]:
            yield folder["name"], item


def sorted_document(document: Json) -> Json:
    """As the operators' command writes it."""
    found: Json = msgspec.json.decode(msgspec.json.encode(document, order="sorted"))
    return found


def test_the_collection_matches_the_routes(document: Json) -> None:
    assert written(sorted_document(document)) == FILE.read_bytes(), "make postman"


def test_the_collection_is_valid(kept: Json) -> None:
    assert set(kept) == {"info", "auth", "variable", "item"}
    assert kept["info"]["schema"] == SCHEMA
    assert kept["auth"]["bearer"][0]["value"] == "{{access}}"
    for _, item in requests(kept):
        assert {"name", "request", "response"} <= set(item) <= {"name", "request", "response", "event"}
        request = item["request"]
        assert {"method", "header", "url", "description"} <= set(request)
        assert request["url"]["raw"] == "/".join([*request["url"]["host"], *request["url"]["path"]])


def test_every_operation_is_in_the_folder_of_its_tag_with_every_body(kept: Json, document: Json) -> None:
    assert [folder["name"] for folder in kept["item"]] == [tag["name"] for tag in document["tags"]]
    found = list(requests(kept))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            url = "{{base_url}}" + re.sub(r"{(\w+)}", r"{{\1}}", path).rstrip("/")
            mine = [
                item["request"]
                for tag, item in found
                if tag == operation["tags"][0]
                and (item["request"]["method"], item["request"]["url"]["raw"]) == (method.upper(), url)
            ]
            body = operation.get("requestBody", {"content": {"application/json": {"examples": {"": None}}}})
            assert len(mine) == len(body["content"]["application/json"]["examples"]), (method, path)
            for request in mine:
                assert (request.get("auth") == {"type": "noauth"}) == (operation.get("security") == [])
                assert ("body" in request) == ("requestBody" in operation)


def test_every_variable_is_declared(kept: Json) -> None:
    used = set(re.findall(r"{{(\w+)}}", msgspec.json.encode(kept["item"]).decode()))
    assert used == {one["key"] for one in kept["variable"]}
    assert set(VARIABLES) < used


def test_the_requests_lead_from_registration_to_a_read_message(kept: Json, api: Api) -> None:
    """As Postman would: variables filled in, and set by what the scripts say."""
    variables = {one["key"]: one["value"] for one in kept["variable"]} | {"base_url": api.url}

    def send(operation: str, method: str, example: str = "", **fields: Any) -> Any:
        item = next(
            item
            for _, item in requests(kept)
            if (item["request"]["method"], item["request"]["url"]["raw"].removeprefix("{{base_url}}/api/v1"))
            == (method, operation)
            and example in item["name"]
        )
        request = item["request"]

        def fill(text: str) -> str:
            return re.sub(r"{{(\w+)}}", lambda found: variables[found[1]], text)

        headers = {one["key"]: one["value"] for one in request["header"] if not one.get("disabled")}
        if "auth" not in request:
            headers["Authorization"] = fill(f"Bearer {kept['auth']['bearer'][0]['value']}")
        body = msgspec.json.decode(fill(request["body"]["raw"])) | fields if "body" in request else None
        answer = httpx.request(
            method, fill(request["url"]["raw"]), headers=headers, json=body, timeout=20, trust_env=False
        )
        assert answer.status_code < 300, (operation, answer.text)
        script = "\n".join(line for event in item.get("event", ()) for line in event["script"]["exec"])
        for variable, field in re.findall(r'set\("(\w+)", body\.(\w+)\)', script):
            variables[variable] = answer.json()[field]
        return answer.json() if answer.content else None

    email = f"{uuid7()}@example.org"  # the database is shared
    send("/users", "POST", email=email)
    send("/login", "POST", "(ada)", email=email)
    send("/refresh", "POST")
    send("/verify", "POST")
    send("/conversations", "POST", "(group)")
    send("/conversations/{{conversation_id}}/messages", "POST", "(text)")
    read = send("/conversations/{{conversation_id}}/messages/{{message_id}}", "GET")
    assert (read["id"], read["conversation"]) == (variables["message_id"], variables["conversation_id"])
    send("/conversations/{{conversation_id}}/read", "PUT", seq=1)
    send("/logout", "POST")
