"""Alerts by apprise: to real servers, each once, and no secret in a sentence or a log."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from app.cli.serve import _alerting
from app.local.processes import free_port
from app.settings import Settings, SettingsRefused
from app.tasks import alerts
from app.tasks.alerts import AlertChannels, from_slack_webhook, problems
from tests.support.mailbox import mail_server, text_of
from tests.tasks.conftest import Channel

TEXT = "⚠ `chat.upkeep.expire`: failed, ValueError, 3 times since 14:05 UTC. See `chat tasks failed`."


@pytest.fixture
def channel() -> Iterator[Channel]:
    found = Channel()
    yield found
    found.close()


def nobody() -> str:
    return f"json://127.0.0.1:{free_port()}/a-secret"


def test_a_slack_webhook_receives_only_the_text(channel: Channel) -> None:
    AlertChannels([from_slack_webhook(channel.url)], "Chat").post(TEXT)
    assert channel.received == [TEXT]


def test_a_webhook_of_another_service_is_posted_to_by_its_apprise_url(channel: Channel) -> None:
    AlertChannels([channel.alert_url], "R&D").post(TEXT)
    assert [(one["title"], one["message"]) for one in channel.posted] == [("R&D: a background task fails", TEXT)]


def test_an_alert_is_mailed(channel: Channel) -> None:
    with mail_server() as (mailboxes, port):
        mail = f"mailto://127.0.0.1:{port}?mode=insecure&from=chat@example.org&to=oncall@example.org"
        AlertChannels([mail, channel.alert_url], "Chat").post(TEXT)
        (came,) = mailboxes.to("oncall@example.org")
    assert came["Subject"] == "Chat: a background task fails"
    assert TEXT in text_of(came)
    assert len(channel.posted) == 1


def test_a_channel_that_fails_keeps_no_alert_from_the_others_and_none_is_repeated(
    channel: Channel,
) -> None:
    with capture_logs() as logged:
        AlertChannels([nobody(), channel.alert_url], "Chat").post(TEXT)
    assert len(channel.posted) == 1
    assert logged == [{"event": "alert_incomplete", "log_level": "warning", "accepted": 1, "failed": 1}]


def test_an_alert_that_no_channel_accepts_is_an_error_without_a_secret(channel: Channel) -> None:
    refused = channel.url.replace("secret-of-the-hook", "another-hook")
    with pytest.raises(OSError, match="no alert channel accepted") as caught:
        AlertChannels([nobody(), from_slack_webhook(refused)], "Chat").post(TEXT)
    assert channel.received == []
    assert caught.value.__cause__ is None


def test_a_redirect_is_not_followed(channel: Channel) -> None:
    """It would carry the alert to another host."""
    port = urlsplit(channel.url).port
    with pytest.raises(OSError, match="no alert channel accepted"):
        AlertChannels([f"json://127.0.0.1:{port}/moved"], "Chat").post(TEXT)
    assert channel.posted == []


def test_a_process_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = tmp_path / "hanging.py"
    hanging.write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(alerts, "PROGRAM", hanging)
    monkeypatch.setattr(alerts, "SECONDS", 0.5)
    with pytest.raises(OSError, match="did not finish"):
        AlertChannels(["json://127.0.0.1/a-secret"], "Chat").post(TEXT)


def test_a_process_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = tmp_path / "failing.py"
    monkeypatch.setattr(alerts, "PROGRAM", failing)
    for program, sentence in (("raise SystemExit(3)", "did not finish"), ("print('no JSON')", "did not answer")):
        failing.write_text(program)
        with pytest.raises(OSError, match=sentence):
            AlertChannels(["json://127.0.0.1/a-secret"], "Chat").post(TEXT)
        assert problems(["json://127.0.0.1/a-secret"])[0].startswith(
            "the addresses could not be checked: apprise did not"
        )


def test_an_address_that_apprise_cannot_use_is_one_sentence_without_its_secret() -> None:
    urls = ("slack://T0/B0/a-secret", "slak://T0/B0/a-secret", "https://example.org/a-secret", "json://example.org/x")
    assert problems(urls[3:]) == problems([]) == []
    with pytest.raises(SettingsRefused) as refused:
        _alerting(Settings(alert_urls=urls))
    assert refused.value.problems == [
        "ALERT_URLS: apprise cannot use the address slack://… (number 1); docs/operations.md shows examples.",
        "ALERT_URLS: apprise cannot use the address slak://… (number 2); did you mean slack://?",
        "ALERT_URLS: apprise cannot use the address https://… (number 3); docs/operations.md shows examples.",
    ]


def test_no_process_of_the_chat_imports_apprise() -> None:
    """Its plugins cost 12 MB: only the process that sends an alert has them."""
    assert "app.tasks.alerts" in sys.modules
    assert [name for name in sys.modules if name.partition(".")[0] == "apprise"] == []
