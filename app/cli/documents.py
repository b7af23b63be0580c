"""`chat openapi`: writes the OpenAPI document without running a server."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from app.cli.commands import CommandLine
from app.settings import load


def add(command_line: CommandLine) -> None:
    command = command_line.add("openapi", openapi, "write the OpenAPI document to a file")
    command.add_argument("file", type=Path)


def openapi(arguments: argparse.Namespace) -> None:
    import msgspec

    # The application needs these URLs but never connects to them here.
    described = msgspec.structs.replace(
        load(embedded=True),
        database_url="postgresql://127.0.0.1/unused",
        redis_url="redis://127.0.0.1/0",
        cache_redis_url="redis://127.0.0.1/0",
    )
    application = import_module("app.main").create_app(described)
    document = msgspec.json.encode(import_module("app.api.docs").described(application), order="sorted")
    arguments.file.parent.mkdir(parents=True, exist_ok=True)
    arguments.file.write_bytes(msgspec.json.format(document, indent=2) + b"\n")
