"""`chat openapi` and `chat asyncapi` write the documents and say so, except into the document."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from app.api.docs.asyncapi import socket_document
from app.main import SOCKET
from app.settings import Settings
from tests.support.command import chat


def test_it_says_what_it_wrote(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "new" / "openapi.json"
    done = chat(settings, "openapi", str(file))
    paths = json.loads(file.read_bytes())["paths"]
    assert len(paths) > 40
    assert done.stdout == f"Wrote {file}: {len(paths)} paths, {file.stat().st_size:,} bytes.\n"


def test_the_document_of_the_socket_is_the_one_a_server_publishes(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "new" / "asyncapi.json"
    done = chat(settings, "asyncapi", str(file))
    document = json.loads(file.read_bytes())
    url = f"http://{document['servers']['here']['host']}"
    assert document == json.loads(msgspec.json.encode(socket_document(SOCKET, url)))
    count = len(document["components"]["messages"])
    assert done.stdout == f"Wrote {file}: {count} messages, {file.stat().st_size:,} bytes.\n"


@pytest.mark.parametrize(("name", "key"), [("openapi", "paths"), ("asyncapi", "channels")])
def test_on_standard_output_there_is_only_the_document(settings: Settings, name: str, key: str) -> None:
    done = chat(settings, name, "/dev/stdout")
    assert done.returncode == 0, done.stderr
    assert key in json.loads(done.stdout)
