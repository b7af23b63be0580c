"""The templates of mails and their languages.

`welcome.jinja` is the source of the text and of the HTML of one mail; `forms` has what all mails share. A file of the
same name in the operator's folder replaces either. Templates are written in English; `locale` holds the translations
of the sentences between `trans` tags (gettext).

Templates run in jinja's sandbox: one that was copied from elsewhere reads names and texts, and nothing of the process.
"""

from __future__ import annotations

import gettext
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

FOLDER: Final = Path(__file__).parent
LOCALES: Final = FOLDER / "locale"
DOMAIN: Final = "mails"
PATTERNS: Final = ("*.jinja", "forms/*.jinja", "forms/*.css")
FORMS: Final = ("txt", "html")


def packaged() -> dict[str, str]:
    """Returns the source of each packaged template by its name, such as `forms/page.html.jinja`."""
    files = [file for pattern in PATTERNS for file in sorted(FOLDER.glob(pattern))]
    return {file.relative_to(FOLDER).as_posix(): file.read_text(encoding="utf-8") for file in files}


def replacements(folder: Path | None) -> dict[str, str]:
    """Returns the source of each file in the operator's folder by its name. Hidden files are left out. None: nothing.

    Raises:
        OSError: the folder, or a file in it, cannot be read.
        UnicodeDecodeError: a file is not UTF-8.
    """
    found: dict[str, str] = {}
    if folder is None:
        return found
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        if file.is_file() and not any(part.startswith(".") for part in name.parts):
            found[name.as_posix()] = file.read_text(encoding="utf-8-sig")
    return found


def letters() -> list[str]:
    """Returns the names of the mails: `account_closed`, `activation`, …"""
    return sorted(file.stem for file in FOLDER.glob("*.jinja"))


def languages() -> list[str]:
    """Returns English and the languages that have a catalogue."""
    return ["en", *sorted(folder.name for folder in LOCALES.iterdir())]


def open_environment(language: str, sources: Mapping[str, str]) -> Environment:
    """Returns the environment that renders `sources` in `language`. `welcome.txt` and `welcome.html` share
    `welcome.jinja`."""

    def source(name: str) -> tuple[str, str, Callable[[], bool]] | None:
        for file in (name, f"{name}.jinja", f"{name.rpartition('.')[0]}.jinja"):
            if file in sources:
                return sources[file], file, lambda: True
        return None

    environment = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(source),
        undefined=StrictUndefined,
        trim_blocks=True,
        autoescape=select_autoescape(["html"], default=False),
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    # Its methods stand on the extension's instance, which has no types.
    install = vars(environment)["install_gettext_translations"]
    install(_translations(language), newstyle=True)
    return environment


def _translations(language: str) -> gettext.NullTranslations:
    if language == "en":
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, LOCALES, [language])
