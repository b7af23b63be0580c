"""The house rules that a search can check: every file has a floor and a noun, and the few doors stay the only ones."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "app"
FLOORS = {
    "main",
    "worker",
    "cli",
    "wiring",
    "settings",
    "db",
    "domain",
    "api",
    "realtime",
    "development",
    "tasks",
    "local",
    "server",
    "telemetry",
    "store",
    "throttling",
    "redis",
    "batching",
}
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "services", "service", "repositories", "repository"}
LONGEST_FILE = 300
MAX_MODULES = 16
TEST_ROOTS = {
    "clients/python": ("clients/python/chat_client", "examples"),
    "clients/typescript": ("clients/typescript", "clients/typescript/src"),
    "bench": ("bench",),
    "docs": ("docs", "."),
}
"""Where the files stand that these tests prove. All others prove a module below `app`, at the same path."""

ACROSS = {"system", "support", "web"}
"""`system` spans modules or processes, `web` drives the web app in a browser; `support` has no tests."""

SHARED_NAMES = {"__init__", "models", "schemas", "queries"}
GERUNDS = {"batching", "encoding", "logging", "throttling", "wiring"}
RULES = [
    (
        r"\.commit\(",
        {"db/database.py", "db/connector.py"},
        "only app/db commits: elsewhere the hand-over after COMMIT would be forgotten",
    ),
    (
        r"\bos\.environ\b|\bos\.getenv\b|\bgetenv\(",
        {"settings/__init__.py", "settings/terminal.py"},
        "only app/settings reads the environment",
    ),
    (
        r"(?i)['\"]autocommit['\"]|autocommit=",
        {"local/postgres.py", "db/autocommit.py"},
        "autocommit swallows a failing COMMIT: the client gets 201 without a row",
    ),
    (
        r"(?i)advisory_?(un)?(xact_)?lock(_shared)?\s*\(|7_?240_?3\d\d\b",
        {"domain/locks.py"},
        "advisory locks share one space of keys: every key and every call is in app/domain/locks.py",
    ),
    (r"b[\"']\{\\?\"type", set(), "frames are encoded from their declarations in realtime/frames"),
    (r"send_task\(\s*f?[\"']", set(), "tasks are called by their object: a name in quotes is not checked by anything"),
]


def sources() -> Iterator[tuple[str, Path]]:
    for path in sorted(APP.rglob("*.py")):
        yield path.relative_to(APP).as_posix(), path


def violations(pattern: str, allowed: set[str], text: str, name: str) -> list[str]:
    if name in allowed:
        return []
    found = enumerate(text.splitlines(), start=1)
    return [f"app/{name}:{number}: {line.strip()}" for number, line in found if re.search(pattern, line)]


@pytest.mark.parametrize(("pattern", "allowed", "reason"), RULES)
def test_a_guarded_operation_stands_only_in_its_module(pattern: str, allowed: set[str], reason: str) -> None:
    found = [line for name, path in sources() for line in violations(pattern, allowed, path.read_text(), name)]
    assert found == [], reason


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        (0, "    await session.commit()"),
        (1, '    url = os.environ["DATABASE_URL"]'),
        (1, '    url = os.getenv("DATABASE_URL")'),
        (2, '    before_send_handler="autocommit",'),
        (3, "    await session.execute(select(func.pg_advisory_xact_lock(NUMBERING)))"),
        (3, '    await session.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": 4})'),
        (3, "CHANGES_LOCK: Final = 7_240_312"),
        (4, """    connection.put(Frame(b'{"type":"pong","ref":null}'))"""),
        (5, '    celery.send_task("chat.cache.rebuild")'),
    ],
)
def test_each_rule_of_source_text_finds_its_violation(rule: int, line: str) -> None:
    pattern, allowed, _ = RULES[rule]
    assert violations(pattern, allowed, line, "api/example.py")


def test_migrations_take_their_advisory_lock_by_its_name() -> None:
    pattern, _, reason = RULES[3]
    files = [path for path in sorted((ROOT / "alembic").rglob("*")) if path.suffix in (".py", ".sql", ".mako")]
    lines = [line for path in files for line in violations(pattern, set(), path.read_text(), path.name)]
    assert [line for line in lines if "pg_advisory_xact_lock(:key)" not in line or "AdvisoryLock." not in line] == [], (
        reason
    )
    assert len(lines) == 1


def test_app_has_only_its_named_floors() -> None:
    top = {path.stem for path in APP.iterdir() if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))}
    assert top - {"__init__"} <= FLOORS


def test_no_module_has_a_meaningless_name() -> None:
    assert [name for name, path in sources() if NAMELESS & {path.stem, *path.relative_to(APP).parts[:-1]}] == []


def test_no_file_has_more_than_300_lines() -> None:
    folders = (APP, *(ROOT / name for name in ("tests", "alembic", "clients/python", "examples")))
    everything = [path for folder in folders for path in folder.rglob("*.py")]
    assert [str(path) for path in everything if len(path.read_text().splitlines()) > LONGEST_FILE] == []


def repeated(names: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Which of these (name, place) pairs have a name that stands in several places."""
    places: dict[str, list[str]] = {}
    for name, place in names:
        places.setdefault(name, []).append(place)
    return {name: found for name, found in places.items() if len(found) > 1}


def test_a_file_name_stands_once() -> None:
    """A reader who looks for a file finds one. Each concept has its models, schemas and queries; REST, tasks and the
    command have a module named for the concept they serve."""
    named = [
        (path.name, name)
        for name, path in sources()
        if path.stem not in SHARED_NAMES and not name.startswith(("api/", "cli/", "tasks/"))
    ]
    assert repeated(named) == {}


def classes(text: str) -> Iterator[str]:
    yield from (node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef))


def test_a_class_name_stands_once() -> None:
    assert repeated((found, name) for name, path in sources() for found in classes(path.read_text())) == {}


def test_a_package_has_at_most_sixteen_modules() -> None:
    counts: dict[str, int] = {}
    for _, path in sources():
        if path.name != "__init__.py" and path.parent != APP:
            folder = path.parent.relative_to(APP).as_posix()
            counts[folder] = counts.get(folder, 0) + 1
    assert {folder: count for folder, count in counts.items() if count > MAX_MODULES} == {}


def test_no_module_is_named_by_a_gerund() -> None:
    assert {path.stem for _, path in sources() if path.stem.endswith("ing")} <= GERUNDS


def test_the_rules_of_names_find_their_violations() -> None:
    assert repeated([("reading.py", "a/reading.py"), ("reading.py", "b/reading.py"), ("send.py", "a/send.py")]) == {
        "reading.py": ["a/reading.py", "b/reading.py"]
    }
    assert list(classes("class Door:\n    class Inner: ...\n")) == ["Door", "Inner"]


def test_the_architecture_page_names_existing_files() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    present = text.split("## Where future features belong")[0]
    named = re.findall(r"`((?:app|alembic|docs)/[\w./]+)`", present)
    assert len(named) > 40
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_module_has_a_docstring() -> None:
    silent = [name for name, path in sources() if path.read_text().strip() and not path.read_text().startswith('"""')]
    assert silent == []


def test_the_reference_client_imports_nothing_of_the_server() -> None:
    """A copy of its package is a complete client: it must not depend on what happens to be installed here."""
    allowed = {*sys.stdlib_module_names, "chat_client", "httpx", "websockets"}
    files = sorted((ROOT / "clients" / "python" / "chat_client").glob("*.py"))
    imported = {(path.name, name) for path in files for name in _imported(path)}
    assert len(files) > 5
    assert [(file, name) for file, name in imported if name not in allowed] == []
    assert [path.name for path in files if not path.read_text().startswith('"""')] == []
    assert [
        line for name, path in sources() for line in violations(r"chat_client", set(), path.read_text(), name)
    ] == []


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module).partition(".")[0]


def proved(folder: Path) -> set[str]:
    """The names of modules, packages and documents in `folder`, and its own."""
    suffixes = {".py", ".ts", ".md", ".json"}
    inside = {path.stem for path in folder.iterdir() if path.suffix in suffixes or any(path.glob("*.py"))}
    return {name.replace("-", "_").lower() for name in {*inside, folder.name} - {"__init__"}}


def unplaced(test: str, modules: set[str]) -> bool:
    """Whether no module has the name of the file `test`: `test_<module>.py` or `test_<module>_<aspect>.py`."""
    subject = test.removeprefix("test_").removesuffix(".py")
    return not any(subject == module or subject.startswith(f"{module}_") for module in modules)


def test_each_test_file_is_named_after_the_module_it_proves() -> None:
    """A reader of `app/store/message_writer.py` finds its tests in `tests/store/test_message_writer.py`."""
    tests = ROOT / "tests"
    files = [path for path in sorted(tests.rglob("test_*.py")) if path != Path(__file__).resolve()]
    lost = []
    for path in files:
        *folders, name = path.relative_to(tests).parts
        folder = "/".join(folders)
        if folders and folders[0] in ACROSS:
            continue
        roots = [ROOT / root for root in TEST_ROOTS[folder]] if folder in TEST_ROOTS else [APP / folder]
        if unplaced(name, {module for root in roots if root.is_dir() for module in proved(root)}):
            lost.append(path.relative_to(ROOT).as_posix())
    assert len(files) > 150
    assert lost == []


def test_the_rule_of_test_files_finds_a_violation() -> None:
    modules = proved(APP / "store")
    assert not unplaced("test_message_writer.py", modules)
    assert not unplaced("test_message_writer_replays.py", modules)
    assert unplaced("test_message_writers.py", modules)
    assert unplaced("test_sending.py", modules)


def test_the_folder_alembic_does_not_hide_the_library() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()
