"""Generators of clients read the OpenAPI document without a warning, and drop nothing of it."""

from __future__ import annotations

import compileall
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.api.docs.test_openapi import Operation, every, operations
from tests.support.published import Json

__all__ = ["every"]

GENERATOR = Path(sys.executable).with_name("openapi-python-client")
COMPOSED = {"anyOf", "oneOf", "allOf"}


def schemas_in(value: Any, place: str = "") -> Iterator[tuple[str, Json]]:
    """Every object of the document that may be a schema, with its place. Examples are data."""
    if isinstance(value, dict):
        yield place, value
        for key, one in value.items():
            if key not in ("example", "examples"):
                yield from schemas_in(one, f"{place}/{key}")
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from schemas_in(one, f"{place}/{index}")


@pytest.fixture(scope="module")
def schemas(document: Json) -> list[tuple[str, Json]]:
    found = list(schemas_in(document))
    assert len(found) > 2_000
    return found


def test_no_field_has_a_default_and_no_default_is_null(document: Json, schemas: list[tuple[str, Json]]) -> None:
    """openapi-typescript makes a field with a default required, in bodies too; descriptions name the defaults."""
    assert [place for place, one in schemas if one.get("default", one) is None] == []
    fields = {
        f"{name}.{field}": one
        for name, schema in document["components"]["schemas"].items()
        for field, one in schema["properties"].items()
    }
    assert [name for name, one in fields.items() if "default" in one] == []
    assert fields["NewConversation.kind"]["description"].endswith("Default: `group`.")
    assert fields["Plan.mails_per_second"]["description"].endswith("Default: `10`.")


def test_an_answer_requires_the_fields_that_it_always_has(document: Json) -> None:
    schemas = document["components"]["schemas"]
    optional = {
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field in set(schema["properties"]) - set(schema.get("required", ()))
        if schema.get("additionalProperties") is not False
    }
    assert optional == {"Problem.errors"}


def test_every_array_has_items(schemas: list[tuple[str, Json]]) -> None:
    """openapi-python-client drops a schema that contains one without, and every schema that refers to it."""
    arrays = [(place, one) for place, one in schemas if one.get("type") == "array"]
    assert len(arrays) > 20
    assert [place for place, one in arrays if "items" not in one] == []


def test_the_license_is_the_projects(document: Json) -> None:
    assert document["info"]["license"] == {"name": "MIT", "identifier": "MIT"}


def test_every_operation_has_a_documented_refusal_by_status(every: list[Operation]) -> None:
    assert [one.name for one in every if not any("400" <= status < "500" for status in one.answers)] == []


def test_every_answer_has_one_schema_that_is_named_or_text(every: list[Operation]) -> None:
    for one in every:
        for status, answer in one.answers.items():
            for kind, content in answer.get("content", {}).items():
                wanted = {"type"} if (one.name, kind) == ("metrics", "text/plain") else {"$ref"}
                assert set(content["schema"]) == wanted, (one.name, status)
            assert len(answer.get("content", {})) == (0 if status == "204" else 1), (one.name, status)


def test_an_optional_parameter_is_omitted_and_never_null(every: list[Operation]) -> None:
    parameters = [(one.name, two) for one in every for two in one.received.get("parameters", ())]
    assert len([two for _, two in parameters if not two["required"]]) > 30
    for name, parameter in parameters:
        schema = parameter["schema"]
        assert isinstance(schema["type"], str), (name, parameter["name"])
        assert not COMPOSED & set(schema), (name, parameter["name"])
        assert None not in schema.get("enum", ()), (name, parameter["name"])


def test_the_idempotency_key_is_an_optional_string(document: Json) -> None:
    (send,) = [one for one in operations(document) if one.name == "sendMessage"]
    (header,) = [one for one in send.received["parameters"] if one["in"] == "header"]
    assert (header["name"], header["required"], header["schema"]) == ("Idempotency-Key", False, {"type": "string"})


@pytest.fixture(scope="module")
def generated(document: Json, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package that openapi-python-client makes of the document. It must not warn: it warns of what it drops."""
    directory = tmp_path_factory.mktemp("generated")
    (directory / "openapi.json").write_bytes(msgspec.json.encode(document))
    (directory / "config.yml").write_text("post_hooks: []\npackage_name_override: chat_of_the_document\n")
    made = subprocess.run(
        [GENERATOR, "generate", "--path", "openapi.json", "--config", "config.yml", "--meta", "none"],
        cwd=directory,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (made.returncode, made.stderr) == (0, "")
    assert "Warning" not in made.stdout
    return directory


def test_openapi_python_client_compiles_and_drops_no_schema_and_no_operation(
    generated: Path, document: Json, every: list[Operation], monkeypatch: pytest.MonkeyPatch
) -> None:
    package = generated / "chat_of_the_document"
    assert compileall.compile_dir(package, quiet=1)
    monkeypatch.syspath_prepend(generated)
    models = importlib.import_module("chat_of_the_document.models")
    assert {"FailedTask", "FailedTaskPage"} <= set(document["components"]["schemas"]) <= set(models.__all__)
    tags = {one.received["tags"][0].lower().replace(" ", "_") for one in every}
    modules = [file for tag in tags for file in (package / "api" / tag).glob("*.py") if file.stem != "__init__"]
    assert len(modules) == len(every)
    for file in modules:
        module = importlib.import_module(".".join(file.relative_to(generated).with_suffix("").parts))
        assert callable(module.asyncio_detailed)


def test_the_generated_send_takes_a_message_without_its_optional_fields(
    generated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(generated)
    models = importlib.import_module("chat_of_the_document.models")
    body = models.MessageToSend(message_type=models.MessageToSendMessageType.TEXT, text="Hello")
    assert body.to_dict() == {"message_type": "text", "text": "Hello"}
