"""Generated parts of a document stand between two comments; everything else is written by people.

<!-- generated: settings -->
…
<!-- end -->
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def names(text: str) -> list[str]:
    """The generated parts of a document, in order."""
    return re.findall(r"<!-- generated: ([^>]+) -->", text)


def filled(text: str, name: str, content: str) -> str:
    """Returns the document with this part replaced. Fails if the document has no markers for it."""
    part = re.compile(rf"(<!-- generated: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    assert part.search(text), f"no place for {name}"
    return part.sub(lambda found: found[1] + content.strip("\n") + "\n" + found[2], text)
