"""The screen of `chat up`: steps with their seconds, then the banner."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest

from app.local import start_screen
from app.local.start_screen import StartScreen
from app.settings import Settings


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(start_screen, "time", clock)
    return clock


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[TextIO, Callable[[], str]]]:
    """A terminal, and what it has received since the last call."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    screen, slave = os.openpty()
    with os.fdopen(slave, "w") as stream:

        def shown() -> str:
            stream.write("\0")
            stream.flush()
            received = b""
            while not received.endswith(b"\0"):
                received += os.read(screen, 65_536)
            return received[:-1].decode().replace("\r\n", "\n")

        yield stream, shown
    os.close(screen)


def test_a_pipe_receives_one_plain_line_for_each_finished_step(clock: Clock) -> None:
    pipe = io.StringIO()
    screen = StartScreen(pipe)
    for name, seconds in (("Valkey", 0.4), ("migrations", 12.34)):
        with screen.step(name, shared=name == "migrations"):
            clock.now += seconds
            screen.tick()
    assert [line.split() for line in pipe.getvalue().splitlines()] == [
        ["Valkey", "0.4", "s"],
        ["migrations", "12.3", "s"],
    ]
    assert "\x1b" not in pipe.getvalue()


def test_a_terminal_shows_the_running_step_and_its_seconds(
    clock: Clock, terminal: tuple[TextIO, Callable[[], str]]
) -> None:
    stream, shown = terminal
    screen = StartScreen(stream)
    with screen.step("migrations"):
        assert shown() == "  migrations …"
        clock.now += 0.9
        screen.tick()
        clock.now += 1.1
        screen.tick()
        screen.tick()
        assert shown().split() == ["\x1b[2K", "migrations", "2", "s", "…"]
    assert shown().split() == ["\x1b[2K", "migrations", "2.0", "s"]


def test_a_step_during_which_others_write_is_never_rewritten(
    clock: Clock, terminal: tuple[TextIO, Callable[[], str]]
) -> None:
    stream, shown = terminal
    screen = StartScreen(stream)
    with screen.step("API", shared=True):
        clock.now += 5
        screen.tick()
    assert shown() == f"  API …\n  {'API':<24}   5.0 s\n"


def test_a_failed_step_ends_its_line_without_seconds(terminal: tuple[TextIO, Callable[[], str]]) -> None:
    stream, shown = terminal
    with pytest.raises(ValueError, match="refused"), StartScreen(stream).step("Postgres"):
        raise ValueError("refused")
    assert shown() == "  Postgres …\n"


def test_the_banner_names_what_to_do_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(port=8123, data_dir=Path(".data"), log_file=tmp_path / "log" / "chat.log")
    pipe = io.StringIO()
    StartScreen(pipe).ready(settings)
    first, rows_shown = pipe.getvalue().strip().split("\n\n")
    assert first == "ready http://127.0.0.1:8123"
    rows = dict(line.split(maxsplit=1) for line in rows_shown.splitlines())
    assert rows == {
        "guide": "http://127.0.0.1:8123/guide/",
        "API": "http://127.0.0.1:8123/docs",
        "socket": "http://127.0.0.1:8123/docs/socket",
        "mails": "files in .data/mail; SMTP_URL sends them",
        "log": "log/chat.log",
        "demo": "`make demo` in a second terminal: six people who talk",
        "stop": "Ctrl-C",
    }


def test_the_link_of_the_first_operator_has_a_line_of_its_own(tmp_path: Path) -> None:
    pipe = io.StringIO()
    StartScreen(pipe).ready(Settings(port=8123, data_dir=tmp_path), first_token="a-token")
    first, link, rows_shown = pipe.getvalue().strip().split("\n\n")
    assert first == "ready http://127.0.0.1:8123"
    assert link.split("\n") == [
        "  open      http://127.0.0.1:8123/#/first/a-token",
        "            logs you in as the first operator; works once, for ten minutes",
    ]
    assert rows_shown.startswith("  guide ")


def test_the_banner_names_the_mail_server_without_its_password(tmp_path: Path) -> None:
    for url in ("smtps://ada:canary@mail.example.org", "smtp://mail.example.org:2525"):
        pipe = io.StringIO()
        StartScreen(pipe).ready(Settings(smtp_url=url, data_dir=tmp_path))
        assert "mails     by mail.example.org" in pipe.getvalue()
        assert "canary" not in pipe.getvalue()


def test_the_banner_names_a_public_address_that_differs(tmp_path: Path) -> None:
    for public_url, shown in (("http://127.0.0.1:8000", False), ("https://chat.example.org", True)):
        pipe = io.StringIO()
        StartScreen(pipe).ready(Settings(public_url=public_url, data_dir=tmp_path))
        assert (f"  public    {public_url}\n" in pipe.getvalue()) is shown


def test_production_prints_the_address_alone(tmp_path: Path) -> None:
    pipe = io.StringIO()
    StartScreen(pipe).ready(Settings(environment="production", data_dir=tmp_path))
    assert pipe.getvalue() == "ready http://127.0.0.1:8000\n"
