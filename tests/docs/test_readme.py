"""What README.md shows works as shown: its three programs run as they stand, and print what it says."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from playwright.async_api import ConsoleMessage

from tests.docs.markers import ROOT
from tests.support.browser import chromium, watched_page
from tests.support.processes import Api

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SECONDS = 60


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def run(script: str, directory: Path) -> str:
    """What bash says on its way through `script`; fails where any command does."""
    assert shutil.which("curl"), "curl is not installed (on Debian: apt-get install curl)"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


async def test_the_first_conversation_runs_as_shown(api: Api, tmp_path: Path) -> None:
    (session,), (live,), (shown,) = blocks("bash"), blocks("python"), blocks("json")
    printed_by_python, printed_by_javascript = blocks("text")
    port = str(api.port)
    (tmp_path / "live.py").write_text(live.replace(":8000", f":{port}"), encoding="utf-8")
    said = run(f'{session.replace(":8000", f":{port}")}\n"{sys.executable}" live.py', tmp_path)
    lines = [line for line in said.splitlines() if line]
    registered, sent = [msgspec.json.decode(line) for line in lines if line.startswith("{")]
    assert lines[2:] == printed_by_python.splitlines()
    assert (registered["first_name"], registered["is_active"]) == ("Mary", True)
    expected = msgspec.json.decode(shown)
    assert list(sent) == list(expected)
    assert {name: sent[name] for name in stable(sent)} == {name: expected[name] for name in stable(expected)}
    assert await in_the_console(api, expected=printed_by_javascript.splitlines()) == printed_by_javascript.splitlines()


async def in_the_console(api: Api, expected: list[str]) -> list[str]:
    """Runs the JavaScript as the console of a page of the chat would, and returns as many printed lines as expected."""
    (script,) = blocks("js")
    async with chromium() as browser, watched_page(browser) as watched:
        await watched.page.goto(f"{api.url}/docs")
        printed: list[str] = []
        enough = asyncio.Event()

        def said(message: ConsoleMessage) -> None:
            printed.append(message.text)
            if len(printed) == len(expected):
                enough.set()

        watched.page.on("console", said)
        await watched.page.evaluate(f"async () => {{ {script.replace(':8000', f':{api.port}')} }}")
        async with asyncio.timeout(SECONDS):
            await enough.wait()
        return printed


def stable(message: dict[str, object]) -> set[str]:
    """Fields that are the same in each run."""
    return message.keys() - {"id", "conversation", "sent_by", "sent_at", "updated_at"}


@pytest.mark.parametrize("command", ["up", "test", "demo"])
def test_every_named_command_exists(command: str) -> None:
    assert f"make {command}" in TEXT
    assert re.search(rf"^{command}:.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_two_sentences_and_a_picture_come_first() -> None:
    words, _, rest = TEXT.partition("![")
    assert len(re.findall(r"\.(?=\s)", words.partition("\n")[2])) == 2
    assert (ROOT / rest.partition("](")[2].partition(")")[0]).is_file()
    assert "```mermaid" not in TEXT


def test_the_lists_of_features_stand_before_the_commands() -> None:
    does, is_not, start = (TEXT.index(part) for part in ("**What it does**", "**What it is not", "## Start"))
    assert does < is_not < start
    assert TEXT[does:is_not].count("\n- ") >= 8
    assert TEXT[is_not:start].count("\n- ") >= 6


def test_the_comparison_names_every_peer_and_admits_what_is_missing() -> None:
    table = TEXT.split("## Beside its peers")[1].split("\n## ")[0]
    head = next(line for line in table.splitlines() if line.startswith("| |"))
    assert head.split("|")[2:-1] == [
        f" {name} " for name in ("Chat", "Tinode", "Centrifugo", "Rocket.Chat", "Mattermost", "Synapse", "Stream")
    ]
    assert "None of them was run" in table
    for missing in ("ready apps", "files", "search in messages", "push to phones", "reactions", "threads"):
        (row,) = [line for line in table.splitlines() if line.startswith(f"| {missing} |")]
        assert row.split("|")[2].strip().startswith("**"), missing
