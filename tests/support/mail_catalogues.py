"""The catalogues of mails: `make catalogues` brings them up to date with the templates.

A new sentence appears in each `.po` file without a translation, for a translator; the `.mo` beside it is what the chat
reads.
"""

from __future__ import annotations

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from app.tasks.letters import templates

Sentence = tuple[str, str] | str
"""A sentence or, where a number decides, its singular and plural."""


def sentences() -> dict[Sentence, list[str]]:
    """Every sentence of the templates, with the templates it stands in."""
    sources = templates.packaged()
    environment = templates.open_environment("en", sources)
    extract = vars(environment)["extract_translations"]
    found: dict[Sentence, list[str]] = {}
    for name, source in sources.items():
        for _, function, message in extract(source):
            words = tuple(one for one in message if one) if isinstance(message, tuple) else (message,)
            assert len(words) == (2 if function == "ngettext" else 1)
            places = found.setdefault((words[0], words[1]) if len(words) == 2 else words[0], [])
            places += [name] if name not in places else []
    return found


def catalogue(language: str) -> Catalog:
    """What the `.po` file says."""
    with po_file(language).open("rb") as file:
        return read_po(file, locale=language, domain=templates.DOMAIN)


def translations(language: str) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Each sentence with its translation: one of each or, where a number decides, the two in English and as many as
    the language has."""
    messages = [message for message in catalogue(language) if message.id]
    return [(_forms(message.id), _forms(message.string)) for message in messages]


def _forms(text: object) -> tuple[str, ...]:
    return tuple(map(str, text)) if isinstance(text, tuple | list) else (str(text),)


def po_file(language: str) -> Path:
    return templates.LOCALES / language / "LC_MESSAGES" / f"{templates.DOMAIN}.po"


def compiled(catalog: Catalog) -> bytes:
    written = io.BytesIO()
    write_mo(written, catalog)
    return written.getvalue()


def update(language: str) -> None:
    """Adds the sentences that are missing, drops those that no template has, and compiles the rest."""
    template = Catalog(fuzzy=False)
    for sentence, places in sentences().items():
        template.add(sentence, locations=[(place, 0) for place in places])
    catalog = catalogue(language)
    creation = catalog.creation_date
    # A sentence that resembles an old one would otherwise receive its translation.
    catalog.update(template, no_fuzzy_matching=True, update_creation_date=False)
    catalog.creation_date = creation
    catalog.obsolete.clear()
    catalog.msgid_bugs_address = catalog.last_translator = ""
    with po_file(language).open("wb") as file:
        write_po(file, catalog, width=100, include_lineno=False, sort_output=False)
    po_file(language).with_suffix(".mo").write_bytes(compiled(catalog))


if __name__ == "__main__":
    for language in templates.languages()[1:]:
        update(language)
