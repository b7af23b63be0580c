"""`chat openapi`: writes the OpenAPI document without running a server."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import rich_click as click

from app.cli.commands import command
from app.settings import load


@command(
    "openapi",
    panel="Development",
    help="Write the OpenAPI document to a file.",
    examples=["chat openapi docs/openapi.json", "chat openapi /dev/stdout"],
)
@click.argument("file", type=click.Path(path_type=Path), help="The file to write; its folder is created if missing.")
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
    text = msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2) + b"\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text)
    if not os.path.samestat(file.stat(), os.fstat(1)):  # the document itself went there
        print(f"Wrote {file}: {len(document['paths'])} paths, {len(text):,} bytes.")


COMMANDS = (openapi,)
