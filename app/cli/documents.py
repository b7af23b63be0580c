"""`chat openapi` and `chat asyncapi`: write the documents of the API without running a server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import rich_click as click

from app.cli.commands import command
from app.settings import load

FILE_HELP = "The file to write; its folder is created if missing."


@command(
    "openapi",
    panel="Development",
    help="Write the OpenAPI document to a file.",
    examples=["chat openapi docs/openapi.json", "chat openapi /dev/stdout"],
)
@click.argument("file", type=click.Path(path_type=Path), help=FILE_HELP)
def openapi(file: Path) -> None:
    import msgspec

    # The application needs these URLs but never connects to them here.
    described = msgspec.structs.replace(
        load(embedded=True),
        database_url="postgresql://127.0.0.1/unused",
        redis_url="redis://127.0.0.1/0",
        cache_redis_url="redis://127.0.0.1/0",
    )
    application = import_module("app.main").create_app(described)
    document = import_module("app.api.docs").described(application)
    _write(document, file, f"{len(document['paths'])} paths")


@command(
    "asyncapi",
    panel="Development",
    help="Write the AsyncAPI document, which describes the frames of the socket, to a file.",
    examples=["chat asyncapi docs/asyncapi.json", "chat asyncapi /dev/stdout"],
)
@click.argument("file", type=click.Path(path_type=Path), help=FILE_HELP)
def asyncapi(file: Path) -> None:
    vocabulary = import_module("app.main").SOCKET
    document = import_module("app.api.docs.asyncapi").socket_document(vocabulary, load(embedded=True).public_url)
    _write(document, file, f"{len(document['components']['messages'])} messages")


def _write(document: Mapping[str, Any], file: Path, content: str) -> None:
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2) + b"\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text)
    if not os.path.samestat(file.stat(), os.fstat(1)):  # the document itself went there
        print(f"Wrote {file}: {content}, {len(text):,} bytes.")


COMMANDS = (openapi, asyncapi)
