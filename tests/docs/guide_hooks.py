"""Hooks of MkDocs: the guide also contains the documents outside docs/, and links only to what it contains."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parents[2]
ELSEWHERE: Final = {
    "README.md": "index.md",
    "docs/README.md": "documents.md",
    "clients/python/README.md": "client-in-python.md",
    "clients/typescript/README.md": "client-in-typescript.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
"""Documents by path in the repository, with their paths in the guide. All others of docs/ keep their paths below it."""

LINK: Final = re.compile(r"(!?)\[((?:[^\]\[]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
FENCE: Final = re.compile(r"^(```.*?^```$)", re.DOTALL | re.MULTILINE)
DIAGRAM: Final = "```mermaid\n"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Completes the navigation: every decision, and what it does not name under "More"."""
    documents = ROOT / "docs"
    decisions = [f"decisions/{page.name}" for page in sorted((documents / "decisions").glob("*.md"))]
    nav = _expanded(config.nav or [], decisions)
    unnamed = {page.name for page in documents.glob("*.md")} - {"README.md"} - set(_named(nav))
    config.nav = [*nav, {"More": sorted(unnamed)}] if unnamed else nav
    return config


def _named(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for inside in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _named(inside)


def _expanded(nav: Any, decisions: list[str]) -> Any:
    if isinstance(nav, dict):
        return {title: _expanded(inside, decisions) for title, inside in nav.items()}
    if isinstance(nav, list):
        return decisions if nav == ["decisions/"] else [_expanded(one, decisions) for one in nav]
    return nav


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for source, place in ELSEWHERE.items():
        files.append(File.generated(config, place, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    place = page.file.src_uri
    source = next((path for path, other in ELSEWHERE.items() if other == place), f"docs/{place}")
    parts = FENCE.split(markdown)
    return "".join(
        _diagram(part) if part.startswith("```") else LINK.sub(lambda link: _linked(link, source, place), part)
        for part in parts
    )


def _linked(link: re.Match[str], source: str, place: str) -> str:
    """Returns the link as it is from the page's place in the guide, or its words if it leads out of the guide."""
    mark, words, address = link.groups()
    target, hash_, anchor = address.partition("#")
    if not target or re.match(r"[a-z]+:", address):
        return link[0]
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    inside = ELSEWHERE.get(path) or (path.removeprefix("docs/") if _is_in_guide(path) else "")
    if not inside:
        return words
    relative = posixpath.relpath(inside, posixpath.dirname(place) or ".")
    return f"{mark}[{words}]({relative}{hash_}{anchor})"


def _is_in_guide(path: str) -> bool:
    return path.startswith("docs/") and path.endswith((".md", ".svg"))


def _diagram(fence: str) -> str:
    """Mermaid would be drawn by a script from another host; the source says the same."""
    if not fence.startswith(DIAGRAM):
        return fence
    lines = fence.replace(DIAGRAM, "```text\n").splitlines()
    return "\n".join(['??? note "Diagram, as Mermaid source"', "", *(f"    {line}" for line in lines)])
