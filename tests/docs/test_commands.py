"""docs/commands.md is generated from the commands."""

from __future__ import annotations

from app.cli import chat
from tests.docs import command_reference, generate


def test_the_reference_has_every_command_with_its_options() -> None:
    text = generate.COMMANDS.read_text(encoding="utf-8")
    assert {name for name in chat.commands if f"\n## chat {name}" in text} == set(chat.commands)
    assert "| `--mails-per-second INTEGER` | Maximum rate of mails. Default: 10. |" in text
    assert "--tied" not in text
    assert generate.regenerated(generate.COMMANDS) == text, "make documents"


def test_the_reference_follows_the_help() -> None:
    """A command's sentence is the same on the page and in `chat COMMAND --help`."""
    assert str(chat.commands["queues"].help) in command_reference.reference()
