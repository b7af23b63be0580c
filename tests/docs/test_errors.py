"""docs/errors.md lists every error code of the program, with its status, its sentences and what a client should do."""

from __future__ import annotations

import re

from app.api.errors.codes import CODES, ON_SOCKETS
from app.domain.error_catalogue import CATALOGUE
from tests.docs import error_codes, generate

TEXT = generate.ERRORS.read_text(encoding="utf-8")


def listed() -> set[str]:
    """Pairs "status code", and codes without a status for sockets."""
    found = set()
    for heading, section in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE):
        status = heading.removeprefix("Status ") if heading.startswith("Status") else ""
        found |= {f"{status} {code}".strip() for code in re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)}
    return found


def test_documented_codes_and_codes_of_the_program_are_the_same() -> None:
    assert listed() == {*CODES, *ON_SOCKETS}


def test_the_tables_are_those_of_the_program() -> None:
    assert generate.regenerated(generate.ERRORS) == TEXT, "make documents"


def test_every_sentence_of_the_catalogue_is_shown() -> None:
    assert [entry.detail for entry in CATALOGUE.values() if entry.detail not in TEXT] == []


def test_every_code_says_what_to_do_and_no_other() -> None:
    codes = {pair.rpartition(" ")[2] for pair in CODES} | ON_SOCKETS
    assert set(error_codes.WHAT_TO_DO) == codes
    assert [code for code, advice in error_codes.WHAT_TO_DO.items() if len(advice.split()) < 2] == []
