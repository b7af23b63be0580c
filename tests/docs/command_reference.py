"""The command reference in docs/commands.md, from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator

import rich_click as click

from app.cli import chat
from app.cli.commands import ChatCommand, CommandFamily


def reference() -> str:
    """A section for each command, in the order of `chat --help`."""
    panels = [panel.name for panel in chat.panels]
    listed = sorted(chat.commands.values(), key=lambda one: (panels.index(str(one.panel)), str(one.name)))  # type: ignore[attr-defined]
    return "\n\n".join(section for one in listed for section in _sections(one, f"chat {one.name}"))


def _sections(command: click.Command, path: str) -> Iterator[str]:
    if isinstance(command, CommandFamily):
        for name, subcommand in command.commands.items():
            yield from _sections(subcommand, f"{path} {name}")
        return
    assert isinstance(command, ChatCommand)
    context = click.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    examples = "\n".join(command.examples)
    parts = [f"## {path}", str(command.help), f"```\n{usage}\n```", _parameters(command, context)]
    yield "\n\n".join([part for part in parts if part] + [f"```sh\n{examples}\n```"])


def _parameters(command: ChatCommand, context: click.Context) -> str:
    rows = []
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.hidden:
            continue
        name = parameter.make_metavar(context) if isinstance(parameter, click.Argument) else ", ".join(parameter.opts)
        if isinstance(parameter, click.Option) and not parameter.is_flag:
            name += f" {parameter.make_metavar(context)}"
        meaning = str(getattr(parameter, "help", "") or "")
        if isinstance(parameter, click.Option) and parameter.show_default:
            meaning += f" Default: {parameter.default}."
        if isinstance(parameter, click.Option) and parameter.required:
            meaning += " Required."
        rows.append(f"| `{name.replace('|', chr(92) + '|')}` | {meaning} |")
    return "\n".join(["| | |", "|---|---|", *rows]) if rows else ""
