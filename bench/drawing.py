"""Writes SVG drawings. They have their own background, so they look the same on light and on dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

OURS, THEIRS, INK, PAPER = "#2563eb", "#9ca3af", "#1f2937", "#ffffff"
WIDTH = 860


def document(title: str, heading: str, parts: Sequence[str], height: int) -> str:
    """Returns an SVG document of width `WIDTH`. `title` is for screen readers, `heading` is drawn at the top."""
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"',
        f'  font-family="sans-serif" font-size="13" fill="{INK}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
        f'<text x="12" y="26" font-size="15">{escape(heading)}</text>',
    ]
    return "\n".join([*head, *parts, "</svg>"]) + "\n"
