"""The table of settings, from `app.settings.Settings` and the sentences of `.env.example`."""

from __future__ import annotations

from tests.docs.markers import ROOT

LEFT_OUT = {"LOG_FILE": "`DATA_DIR`/log/chat.log"}
"""Variables the example comments out, since empty means something."""


def explained() -> dict[str, tuple[str, str]]:
    """(default, sentence) by variable, as `.env.example` has them."""
    found: dict[str, tuple[str, str]] = {}
    sentence: list[str] = []
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines():
        name, is_setting, default = line.removeprefix("# ").partition("=")
        if is_setting and name.isupper():
            found[name] = (LEFT_OUT.get(name) or (f"`{default}`" if default else ""), " ".join(sentence))
            sentence = []
        elif line.startswith("#"):
            sentence.append(line.removeprefix("#").strip())
        else:
            sentence = []
    return found


def table() -> str:
    """Markdown."""
    rows = [f"| `{name}` | {default} | {sentence} |" for name, (default, sentence) in explained().items()]
    return "\n".join(["| variable | default | what it does |", "|---|---|---|", *rows])
