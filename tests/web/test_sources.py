"""Rules of the web app's sources that a search can check: texts, sizes, and no way to render HTML."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.domain.error_catalogue import CATALOGUE
from tests.support.node import ROOT

SOURCES = ROOT / "web" / "src"
TEXTS = SOURCES / "texts"
ENTRY = re.compile(r'^ {2}"([\w.]+)":\s*"((?:[^"\\]|\\.)*)",$', re.MULTILINE)
LONGEST_FILE = 300


def texts(language: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted((TEXTS / language).glob("*.ts")):
        for key, text in ENTRY.findall(path.read_text()):
            assert key not in found, f"{key} stands twice"
            found[key] = text
    return found


def code() -> dict[str, str]:
    """Every source but the texts, by its path."""
    paths = [
        path
        for path in sorted(SOURCES.rglob("*.ts*"))
        if TEXTS / "en" not in path.parents and TEXTS / "de" not in path.parents
    ]
    return {path.relative_to(SOURCES).as_posix(): path.read_text() for path in paths}


def test_every_line_of_a_catalogue_is_read_by_these_tests() -> None:
    for language in ("en", "de"):
        lines = [
            line
            for path in (TEXTS / language).glob("*.ts")
            for line in re.findall(r'^ {2}"[^"]+":', path.read_text(), re.MULTILINE)
        ]
        assert len(lines) == len(texts(language)) > 100


def test_both_languages_have_the_same_keys_with_the_same_names_in_them() -> None:
    english, german = texts("en"), texts("de")
    assert sorted(english) == sorted(german)
    assert [key for key in english if _names(english[key]) != _names(german[key])] == []
    assert [key for key, text in [*english.items(), *german.items()] if not text.strip()] == []


def _names(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def test_no_text_is_unused() -> None:
    everything = "\n".join(code().values())
    used = set(re.findall(r'"([\w.]+)"', everything))
    begun = tuple(re.findall(r"`([a-z_]+(?:\.[a-z_]+)*\.)\$\{", everything))
    bases = {key: re.sub(r"\.(one|other)$", "", key) for key in texts("en")}
    assert "error." in begun
    assert [key for key, base in bases.items() if base not in used and not base.startswith(begun)] == []


def test_each_translated_error_has_a_code_of_the_api() -> None:
    own = {"offline", "unreachable", "login_ended", "outbox_full", "throttled", "throttled_until"}
    codes = {entry.code for entry in CATALOGUE.values()}
    translated = {key.removeprefix("error.") for key in texts("en") if key.startswith("error.")}
    assert translated - own - codes == set()
    assert len(translated) > 30


@pytest.mark.parametrize(
    "pattern",
    [r"dangerouslySetInnerHTML", r"\.(?:inner|outer)HTML\b", r"insertAdjacentHTML", r"\beval\(", r"document\.write"],
)
def test_no_code_renders_html(pattern: str) -> None:
    assert [name for name, text in code().items() if re.search(pattern, text)] == []


def test_components_hold_no_sentences() -> None:
    """Text between tags, or in an attribute that people read: it belongs to both catalogues."""
    shown = re.compile(
        r">\s*[A-Za-z][\w ,.'’]*\s[\w ,.'’]+<|\b(?:aria-label|title|placeholder|alt|label|hint)=\"(?!https:)[A-Za-z]"
    )
    assert [name for name, text in code().items() if name.endswith(".tsx") and shown.search(text)] == []


def test_no_file_has_more_than_300_lines() -> None:
    paths: list[Path] = [
        path
        for folder in (SOURCES, ROOT / "clients" / "typescript" / "src")
        for path in folder.rglob("*")
        if path.is_file()
    ]
    written = [path for path in paths if path.suffix in (".ts", ".tsx", ".css") and path.parent.name != "generated"]
    assert len(written) > 40
    assert [str(path) for path in written if len(path.read_text().splitlines()) > LONGEST_FILE] == []
