"""`chat completion`: completes commands and options in a shell."""

from __future__ import annotations

import rich_click as click

from app.cli.commands import command

VARIABLE = "_CHAT_COMPLETE"
"""The shell's script sets this variable and runs `chat`, which then prints completions and ends."""


@command(
    "completion",
    panel="Development",
    help="Print the script that completes `chat` commands and options in your shell.",
    examples=[
        'eval "$(chat completion bash)"     # in ~/.bashrc',
        'eval "$(chat completion zsh)"      # in ~/.zshrc',
        "chat completion fish > ~/.config/fish/completions/chat.fish",
    ],
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), help="The shell that reads it.")
@click.pass_context
def completion(ctx: click.RichContext, shell: str) -> None:
    from click.shell_completion import get_completion_class

    shell_class = get_completion_class(shell)
    assert shell_class is not None
    print(shell_class(ctx.find_root().command, {}, "chat", VARIABLE).source())


COMMANDS = (completion,)
