"""The package @chat/client: its types are right and current, its tests pass, and its README works as it stands."""

from __future__ import annotations

import asyncio
import filecmp
import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import Stage
from tests.clients.life import stored, two
from tests.clients.typescript.program import PACKAGE, WITHIN, watching
from tests.support.client import PASSWORD, eventually
from tests.support.node import BIN, NODE, ROOT, environment, installed

README = (PACKAGE / "README.md").read_text(encoding="utf-8")
LONGEST_FILE = 300
GENERATED = PACKAGE / "src" / "generated"
EVERY_TYPE = """
import type {{ ChatEvent, Chat, Pending, State }} from "{source}";
const types: Record<ChatEvent["type"], 1> = {{ {types} }};
const states: Record<State, 1> = {{ {states} }};
const pending: Record<Pending["state"], 1> = {{ {pending} }};
const members: Record<keyof Chat, 1> = {{ {members} }};
void [types, states, pending, members];
"""


@pytest.fixture(scope="session")
def programs() -> Path:
    return installed(PACKAGE)


def run(*command: str | Path, folder: Path = PACKAGE) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=environment(), capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_types_are_right(programs: Path) -> None:
    run(programs / "tsc")


def test_its_own_tests_pass() -> None:
    said = run(NODE, "--test", "--test-reporter=tap", "test/*.test.ts")
    (passed,) = re.findall(r"^# pass (\d+)$", said, re.MULTILINE)
    assert int(passed) > 50
    assert re.findall(r"^# (?:fail|skipped|todo|cancelled) [^0]", said, re.MULTILINE) == []


def test_the_generated_types_are_those_of_the_server(programs: Path, tmp_path: Path) -> None:
    for document in ("openapi", "asyncapi"):
        run(ROOT / ".venv" / "bin" / "chat", document, tmp_path / f"{document}.json", folder=ROOT)
    run(NODE, "generate.mjs", tmp_path / "openapi.json", tmp_path / "asyncapi.json", tmp_path / "types")
    names = ["frames.ts", "rest.ts"]
    same, _, _ = filecmp.cmpfiles(GENERATED, tmp_path / "types", names, shallow=False)
    assert same == names, "`make clients` writes them"
    assert sorted(file.name for file in GENERATED.iterdir()) == names


def test_no_file_has_more_than_300_lines() -> None:
    files = [file for folder in ("src", "test") for file in (PACKAGE / folder).glob("*.ts")]
    assert len(files) > 20
    assert [file.name for file in files if len(file.read_text().splitlines()) > LONGEST_FILE] == []


def test_it_has_no_dependencies_and_its_lock_names_no_address() -> None:
    package = json.loads((PACKAGE / "package.json").read_text())
    assert "dependencies" not in package
    assert all(re.fullmatch(r"[\d.]+", version) for version in package["devDependencies"].values())
    lock = (PACKAGE / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') > 5
    imported = {
        name
        for file in (PACKAGE / "src").glob("*.ts")
        for name in re.findall(r'^(?:import|export) .* from "([^"]+)"', file.read_text(), re.MULTILINE)
    }
    assert [name for name in imported if not name.startswith("./")] == []


def names(section: str, column: int = 1) -> set[str]:
    """What stands in a column of the tables of a section."""
    part = README.split(f"## {section}\n")[1].split("\n## ")[0]
    cells = [line.split("|")[column] for line in part.splitlines() if line.startswith("| ") and "`" in line]
    return {name for cell in cells for name in re.findall(r"`(?:await )?(?:chat\.)?(\w+)", cell)}


def test_the_readme_names_every_member_event_and_state(programs: Path, tmp_path: Path) -> None:
    (row,) = [line for line in README.splitlines() if line.startswith("| `chat.state`")]
    found = {
        "types": names("Events") - {"type"},
        "states": set(re.findall(r"`(\w+)`", row.split("|")[2])),
        "pending": names("What it takes care of") - {"state"},
        "members": names("State") | names("Calls"),
    }
    lists = {name: ", ".join(f"{one}: 1" for one in sorted(words)) for name, words in found.items()}
    (tmp_path / "names.mts").write_text(EVERY_TYPE.format(source=PACKAGE / "src" / "index.ts", **lists))
    settings = {"extends": str(PACKAGE / "tsconfig.json"), "compilerOptions": {"types": []}, "include": ["names.mts"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(settings))
    run(programs / "tsc", folder=tmp_path)


@pytest.fixture(scope="session")
def built(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the package is installed, as built."""
    folder = tmp_path_factory.mktemp("program")
    package = folder / "node_modules" / "@chat" / "client"
    package.mkdir(parents=True)
    (package / "package.json").write_text((PACKAGE / "package.json").read_text())
    run(programs / "tsc", "--project", "tsconfig.build.json", "--outDir", package / "dist")
    return folder


def shown() -> list[str]:
    return re.findall(r"^```ts\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


async def test_the_program_of_the_readme_answers_a_ping(stage: Stage, built: Path) -> None:
    ada, grace, engines = await two(stage)
    program = shown()[0]
    for theirs, here in (
        ("http://127.0.0.1:8000", stage.there.url),
        ("ada@example.org", grace.email),
        ("analytical-engine", PASSWORD),
    ):
        assert theirs in program
        program = program.replace(theirs, here)
    (built / "program.mts").write_text(program)
    running = await asyncio.create_subprocess_exec(
        *(str(BIN / "node"), "--disable-warning=ExperimentalWarning", "program.mts"),
        cwd=built,
        env=environment(),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with watching(stage.there.url, ada) as client:

            async def answered() -> bool:
                """A message sent before it listens is in its view and no event, so it is sent again."""
                assert running.returncode is None
                await client.say(engines, "ping")
                return (await stored(ada, engines))["pong"] > 0

            await eventually(answered, WITHIN)
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


def test_the_programs_of_the_readme_have_right_types(built: Path, programs: Path) -> None:
    folder = built / "types"
    folder.mkdir()
    for number, program in enumerate(shown()):
        (folder / f"program{number}.mts").write_text(program)
    options = {
        "target": "ES2022",
        "module": "NodeNext",
        "lib": ["ES2023", "DOM"],
        "types": [],
        "strict": True,
        "noEmit": True,
    }
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "include": ["*.mts"]}))
    run(programs / "tsc", folder=folder)
