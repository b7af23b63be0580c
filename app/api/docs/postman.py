"""The OpenAPI document as a Postman collection (v2.1): a folder for each tag, a request for each example of a body.

Logging in stores the tokens, creating a conversation or sending a message stores its id; later requests use them.

    chat openapi /dev/stdout | python -m app.api.docs.postman docs/postman.json
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

Json = dict[str, Any]

SCHEMA: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
BASE: Final = "base_url"
VARIABLES: Final[Mapping[str, str]] = {BASE: "http://127.0.0.1:8000", "access": "", "refresh": ""}
"""Variables other than path parameters."""

STORED: Final[Mapping[str, Mapping[str, str]]] = {
    "logIn": {"access": "access", "refresh": "refresh"},
    "refreshTokens": {"access": "access", "refresh": "refresh"},
    "createConversation": {"conversation_id": "id"},
    "sendMessage": {"message_id": "id"},
}
"""Variables set from fields of the response, by operation."""

FILLED: Final[Mapping[str, Mapping[str, str]]] = {
    "refreshTokens": {"refresh": "{{refresh}}"},
    "verifyToken": {"token": "{{access}}"},
}
"""Body fields filled from variables, by operation."""


def collection(openapi: Json) -> Json:
    """Returns the collection of this document as JSON."""
    return {
        "info": {
            "name": openapi["info"]["title"],
            "description": openapi["info"].get("description", ""),
            "version": openapi["info"]["version"],
            "schema": SCHEMA,
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{access}}", "type": "string"}]},
        "variable": [{"key": key, "value": value, "type": "string"} for key, value in _variables(openapi).items()],
        "item": [
            {
                "name": tag["name"],
                "description": tag.get("description", ""),
                "item": list(_of_tag(openapi, tag["name"])),
            }
            for tag in openapi["tags"]
        ],
    }


def _variables(openapi: Json) -> dict[str, str]:
    in_paths = sorted({name for path in openapi["paths"] for name in re.findall(r"{(\w+)}", path)})
    return {**VARIABLES, **dict.fromkeys(in_paths, "")}


def _of_tag(openapi: Json, tag: str) -> Iterator[Json]:
    for path, operations in sorted(openapi["paths"].items()):
        for method, operation in sorted(operations.items()):
            if tag in operation["tags"]:
                yield from _requests(path, method, operation)


def _requests(path: str, method: str, operation: Json) -> Iterator[Json]:
    body = operation.get("requestBody")
    examples = body["content"]["application/json"]["examples"] if body else {"": None}
    for name, example in examples.items():
        item: Json = {"name": operation["summary"] + (f" ({name})" if len(examples) > 1 else "")}
        if stored := STORED.get(operation["operationId"]):
            item["event"] = [{"listen": "test", "script": {"type": "text/javascript", "exec": _script(stored)}}]
        item["request"] = _request(path, method, operation, example)
        yield {**item, "response": []}


def _request(path: str, method: str, operation: Json, example: Json | None) -> Json:
    parameters = operation.get("parameters", ())
    request: Json = {
        "method": method.upper(),
        "header": [_optional(one) for one in parameters if one["in"] == "header"],
        "url": _url(path, [_optional(one) for one in parameters if one["in"] == "query"]),
        "description": operation.get("description", ""),
    }
    if operation.get("security") == []:
        request["auth"] = {"type": "noauth"}
    if example is not None:
        value = {**example["value"], **FILLED.get(operation["operationId"], {})}
        request["header"].append({"key": "Content-Type", "value": "application/json"})
        request["body"] = {
            "mode": "raw",
            "raw": msgspec.json.format(msgspec.json.encode(value), indent=2).decode(),
            "options": {"raw": {"language": "json"}},
        }
    return request


def _url(path: str, query: list[Json]) -> Json:
    filled = path.replace("{", "{{").replace("}", "}}")
    return {
        "raw": f"{{{{{BASE}}}}}{filled}",
        "host": [f"{{{{{BASE}}}}}"],
        "path": filled.strip("/").split("/"),
        "query": query,
    }


def _optional(parameter: Json) -> Json:
    """Returns a query parameter or header, disabled unless required."""
    return {
        "key": parameter["name"],
        "value": str(parameter.get("example", "")),
        "description": parameter.get("description", ""),
        "disabled": not parameter.get("required", False),
    }


def _script(stored: Mapping[str, str]) -> list[str]:
    sets = [f'  pm.collectionVariables.set("{variable}", body.{field});' for variable, field in stored.items()]
    return ["if (pm.response.code < 300) {", "  const body = pm.response.json();", *sets, "}"]


def written(openapi: Json) -> bytes:
    """Returns the collection as file content."""
    return msgspec.json.format(msgspec.json.encode(collection(openapi)), indent=2) + b"\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(written(msgspec.json.decode(sys.stdin.buffer.read())))
