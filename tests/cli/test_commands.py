"""Every command has help with examples; a wrong call ends with code 2 and a sentence; nothing is coloured in a pipe."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

import pytest
import rich_click as click

from app.cli import chat, main
from app.cli.broadcasts import BroadcastCommand
from app.cli.commands import ChatCommand, CommandFamily
from tests.support.processes import ROOT


def commands(group: CommandFamily = chat, path: str = "chat") -> Iterator[tuple[str, ChatCommand]]:
    """Every command that does something, by how it is typed."""
    for name, found in group.commands.items():
        if isinstance(found, CommandFamily):
            yield from commands(found, f"{path} {name}")
        else:
            assert isinstance(found, ChatCommand)
            yield f"{path} {name}", found


COMMANDS = dict(commands())


@pytest.mark.parametrize("typed", COMMANDS)
def test_help_shows_examples_that_can_be_typed(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*typed.split()[1:], "--help"]) == 0
    printed = capsys.readouterr().out
    assert COMMANDS[typed].examples
    for example in COMMANDS[typed].examples:
        assert f"\n  {example}\n" in printed + "\n"


@pytest.mark.parametrize("typed", COMMANDS)
def test_examples_are_valid_calls(typed: str) -> None:
    for example in COMMANDS[typed].examples:
        ours = re.search(r"(?<![\w/])chat (.*?)(?:\)\"|\s[|>#]|$)", example)
        assert ours is not None
        parsed(shlex.split(ours[1]))


def parsed(arguments: list[str]) -> None:
    """Raises UsageError if the command that these arguments name does not take them."""
    context: click.Context = chat.make_context("chat", list(arguments))
    group: click.Command = chat
    rest = arguments
    while isinstance(group, CommandFamily):
        name, found, rest = group.resolve_command(context, rest)
        assert found is not None
        context, group = found.make_context(name, list(rest), parent=context), found


def test_help_has_every_command_under_a_heading(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert {name for name in chat.commands if f"\n  {name} " in printed} == set(chat.commands)
    assert "\nCommands:" not in printed


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"chat {version('chat-backend')}\n"


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("worke", "chat: No such command 'worke'."),
        ("broadcast Hello", "chat: Missing option '--text'. See `chat broadcast --help`."),
        ("broadcast Hello --text x --at yesterday", "'yesterday' is not a time; write it as 2026-05-04T09:00:00Z."),
        ("api --grace soon", "chat: Invalid value for '--grace': 'soon' is not a valid integer."),
    ],
)
def test_a_wrong_call_ends_with_code_2_and_says_why(
    typed: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(typed.split()) == 2
    received = capsys.readouterr()
    assert sentence in received.err
    assert "Traceback" not in received.err


@pytest.mark.parametrize("typed", ["", "tasks", "throttle"])
def test_a_family_without_its_subcommand_shows_its_help(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main(typed.split())
    assert f"Usage: chat {typed}".strip() in capsys.readouterr().out


def test_several_values_may_follow_one_option() -> None:
    """Scripts of the time before write `--to ID ID`."""
    command = chat.commands["broadcast"]
    assert isinstance(command, BroadcastCommand)
    for words in ("--to one two --text x Title", "Title --to one --to two --text x", "Title --text x --to one two"):
        assert command.make_context("broadcast", words.split()).params["to"] == ("one", "two")
    assert command.make_context("broadcast", ["Title", "--text", "x"]).params["to"] == ("everybody",)


def test_a_command_that_needs_no_server_loads_none_of_the_server() -> None:
    heavy = "litestar|sqlalchemy|celery|redis|psycopg|rich.console|structlog|uvicorn"
    program = f"import sys, re; import app.cli; print([m for m in sys.modules if re.fullmatch('{heavy}', m)])"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert loaded.stdout == "[]\n", loaded.stderr
