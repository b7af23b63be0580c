"""docs/settings.md lists every setting with its sentence."""

from __future__ import annotations

from app.settings import Settings
from tests.docs import generate, settings_table


def test_the_table_has_every_setting_with_its_sentence() -> None:
    explained = settings_table.explained()
    assert explained.keys() == {field.upper() for field in Settings.__struct_fields__}
    assert [
        name
        for name, (_, sentence) in explained.items()
        if not sentence.endswith(("own.", "PORT")) and len(sentence) < 12
    ] == []
    assert generate.regenerated(generate.SETTINGS) == generate.SETTINGS.read_text(encoding="utf-8"), "make documents"
