"""docs/settings.md lists every setting with its sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.settings import Settings, load
from app.settings.checks import SHORTEST_PASSWORD
from tests.docs import generate, settings_table
from tests.docs.markers import ROOT

PAGES = [ROOT / "Makefile", ROOT / "app/cli/serve.py", *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def documented(setting: str) -> set[str]:
    """The values that documents and the help of commands show for `setting`."""
    texts = [page.read_text(encoding="utf-8") for page in PAGES if page.name != "CHANGELOG.md"]
    return {value for text in texts for value in re.findall(rf"\b{setting}=([^\s`'\"]+)", text)}


def test_the_table_has_every_setting_with_its_sentence() -> None:
    explained = settings_table.explained()
    assert explained.keys() == {field.upper() for field in Settings.__struct_fields__}
    assert [
        name
        for name, (_, sentence) in explained.items()
        if not sentence.endswith(("own.", "PORT")) and len(sentence) < 12
    ] == []
    assert generate.regenerated(generate.SETTINGS) == generate.SETTINGS.read_text(encoding="utf-8"), "make documents"


@pytest.mark.parametrize("setting", ["FLOWER_BASIC_AUTH", "PUBLIC_URL", "MAIL_FROM", "TRUSTED_PROXY_HOPS"])
def test_the_values_that_documents_show_are_accepted(setting: str) -> None:
    values = documented(setting)
    assert values
    servers = {"DATABASE_URL": "postgresql://chat@127.0.0.1/chat", "REDIS_URL": "redis://127.0.0.1:6379/0"}
    for value in values:
        load(
            {**servers, "SECRET_KEY": "v3n8QmZr0pLx2Tg7YbKd5HsWcJf9AeUi1oNq", setting: value}, env_file=Path("nowhere")
        )


def test_the_length_of_flowers_password_is_in_the_table() -> None:
    assert (
        f"The password has at least {SHORTEST_PASSWORD} characters."
        in settings_table.explained()["FLOWER_BASIC_AUTH"][1]
    )
