"""What `chat up` passes to its processes arrives, and no process inherits what another chat passed."""

from __future__ import annotations

import pytest

from app import settings as reading
from app.development import local_start
from app.development.local_start import VARIABLE, LocalStart
from app.domain.welcome import first_link
from app.settings import Settings

STARTS = [LocalStart(), LocalStart(first_link.make()[1])]


@pytest.mark.parametrize("start", STARTS)
def test_a_start_arrives_as_it_was_passed(start: LocalStart, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in local_start.encoded(start).items():
        monkeypatch.setenv(name, value)
    assert reading.local_start(Settings()) == start
    assert reading.local_start(Settings(environment="production")) is None


def test_a_chat_on_other_servers_passes_nothing_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reading.local_start(Settings()) is None
    assert local_start.encoded(None) == {VARIABLE: ""}
    monkeypatch.setenv(VARIABLE, "")
    assert reading.local_start(Settings()) is None


def test_the_token_is_not_passed() -> None:
    token, link = first_link.make()
    assert token not in local_start.encoded(LocalStart(link))[VARIABLE]
