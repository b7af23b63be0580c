"""Completion in the shells themselves: the script that `chat completion` prints, and what it then offers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT

CHAT = Path(sys.executable).with_name("chat")

BASH = """
eval "$(chat completion bash)"
COMP_WORDS=(chat broad) COMP_CWORD=1
_chat_completion chat
echo "${COMPREPLY[*]}"
COMP_WORDS=(chat broadcast --mails) COMP_CWORD=2 COMPREPLY=()
_chat_completion chat
echo "${COMPREPLY[*]}"
"""


def environment() -> dict[str, str]:
    return {"PATH": f"{CHAT.parent}:{os.defpath}", "HOME": "/nowhere"}


def test_bash_completes_commands_and_options() -> None:
    received = subprocess.run(
        ["bash", "-c", BASH], env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert received.stdout.splitlines() == ["broadcast broadcasts", "--mails-per-second"], received.stderr


@pytest.mark.parametrize(("shell", "hook"), [("zsh", "#compdef chat"), ("fish", "complete --no-files --command chat")])
def test_zsh_and_fish_receive_their_script(shell: str, hook: str) -> None:
    received = subprocess.run(
        [CHAT, "completion", shell], env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert received.returncode == 0
    assert hook in received.stdout
    assert f"_CHAT_COMPLETE={shell}_complete" in received.stdout
    if program := shutil.which(shell):
        subprocess.run([program, "-n", "/dev/stdin"], input=received.stdout, text=True, check=True, timeout=60)


@pytest.mark.parametrize(
    ("shell", "words", "at", "offered"),
    [("zsh", "chat thr", "1", "throttle"), ("fish", "chat throttle rep", "rep", "report")],
)
def test_what_zsh_and_fish_ask_for_is_answered(shell: str, words: str, at: str, offered: str) -> None:
    asked = {"_CHAT_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": at}
    received = subprocess.run([CHAT], env=environment() | asked, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert offered in received.stdout, received.stderr
