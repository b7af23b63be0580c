"""Regenerates the generated parts of the documents: `make documents`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.docs import (
    capacity_table,
    command_reference,
    error_codes,
    metrics_table,
    route_tables,
    schema_tables,
    settings_table,
)
from tests.docs.markers import ROOT, filled, names

SETTINGS = ROOT / "docs" / "settings.md"
SCHEMA = ROOT / "docs" / "schema.md"
SIZING = ROOT / "docs" / "sizing.md"
COMMANDS = ROOT / "docs" / "commands.md"
ERRORS = ROOT / "docs" / "errors.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"
PAGE = ROOT / "examples" / "chat.html"
METRICS = ROOT / "docs" / "metrics.md"
ROUTES = ROOT / "docs" / "routes.md"


def part(name: str) -> str:
    """The content of a generated part."""
    made: dict[str, Callable[[], str]] = {
        "settings": settings_table.table,
        "commands": command_reference.reference,
        "diagram": schema_tables.diagram,
        "error codes": error_codes.tables,
        "capacity": capacity_table.capacity,
        "load": capacity_table.load,
        "chat.html": lambda: f"```html\n{PAGE.read_text(encoding='utf-8')}```",
        "metrics": metrics_table.table,
        "routes": route_tables.routes,
        "rows": route_tables.rows,
    }
    return made[name]() if name in made else schema_tables.listing(name)


def regenerated(document: Path) -> str:
    text = document.read_text(encoding="utf-8")
    for name in names(text):
        text = filled(text, name, part(name))
    return text


def main() -> None:
    for document in (SETTINGS, SCHEMA, COMMANDS, ERRORS, SIZING, TUTORIAL, METRICS, ROUTES):
        document.write_text(regenerated(document), encoding="utf-8")


if __name__ == "__main__":
    main()
