"""The compose file: every setting reaches the chat, each service has bounds, and a secret is only where it is used."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from app.local.os_account import valkey_binary
from app.local.processes import end, free_port
from app.settings import Settings, load
from tests.support.chat import until
from tests.support.servers import public_directory

ROOT = Path(__file__).resolve().parents[3]
FILE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
CHAT = {name: service for name, service in SERVICES.items() if service.get("command", [""])[0] == "chat"}
SERVERS = {"ENVIRONMENT", "DATABASE_URL", "REDIS_URL"}
"""Set by the file itself, to its own servers."""

INSIDE = {"PORT", "DATA_DIR", "LOG_FILE", "DEBUG", "MIGRATE_DATABASE_URL"}
"""Matters of the container; the owner's URL is for migrations alone."""

SECRETS = {
    "SECRET_KEY": "v3n8QmZr0pLx2Tg7YbKd5HsWcJf9AeUi1oNq",
    "POSTGRES_PASSWORD": "owners",
    "POSTGRES_APP_PASSWORD": "chats",
    "VALKEY_PASSWORD": "valkeys",
}


def filled(text: object, given: dict[str, str]) -> str:
    """As compose replaces variables."""

    def value(found: re.Match[str]) -> str:
        name, way, default = found.groups()
        if way == ":?" and not given.get(name):
            raise KeyError(name)
        return given.get(name) or default

    return re.sub(r"\$\{(\w+)(:-|:\?)([^}]*)\}", value, str(text))


def environment(service: str, **given: str) -> dict[str, str]:
    known = SERVICES[service].get("environment", {}).items()
    return {name: filled(value, {**SECRETS, **given}) for name, value in known}


@pytest.mark.parametrize("service", sorted(CHAT.keys() - {"migrate"}))
def test_every_setting_that_an_operator_may_set_reaches_each_process(service: str) -> None:
    names = {field.upper() for field in Settings.__struct_fields__} - SERVERS - INSIDE
    given = {name: f"given-{name}" for name in names}
    passed = environment(service, **given)
    assert {name: passed.get(name) for name in names} == given
    assert passed.keys() == names | SERVERS


def test_the_document_and_the_file_name_each_setting_that_env_cannot_set() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    exceptions = text.partition("Other settings may be in `.env` too, with these exceptions")[2].partition(
        ". To change"
    )[0]
    assert set(re.findall(r"`([A-Z_]+)`", exceptions)) == SERVERS | INSIDE
    head = (ROOT / "docker-compose.yml").read_text(encoding="utf-8").partition("name: chat")[0]
    assert [name for name in SERVERS | INSIDE if name not in head] == []


def test_only_what_serves_or_works_has_a_check() -> None:
    """The image has none: what an API answers says nothing of a worker."""
    assert "\nHEALTHCHECK" not in (ROOT / "deploy" / "Dockerfile").read_text()
    assert {name for name in CHAT if "healthcheck" in SERVICES[name]} == {"web", "worker"}


def test_compose_passes_the_defaults_of_unset_settings() -> None:
    passed = load(environment("web"), env_file=Path("nowhere"))
    alone = load({name: environment("web")[name] for name in (*SERVERS, "SECRET_KEY", "PUBLIC_URL")},
                 env_file=Path("nowhere"))  # fmt: skip
    assert passed == alone


@pytest.mark.parametrize("secret", SECRETS)
def test_compose_does_not_start_without_a_secret(secret: str) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    uses = re.findall(rf"\$\{{{secret}(\W+)", text)
    assert uses
    assert set(uses) == {":?"}


def test_the_chat_is_no_superuser_and_does_not_know_the_owners_password() -> None:
    owner = SERVICES["postgres"]["environment"]["POSTGRES_USER"]
    for service in CHAT:
        passed = environment(service)
        assert passed["DATABASE_URL"].startswith("postgresql://chat_app:chats@")
        assert owner != "chat_app"
        knows = [name for name, value in passed.items() if "owners" in value]
        assert knows == (["MIGRATE_DATABASE_URL"] if service == "migrate" else [])
    assert environment("migrate")["MIGRATE_DATABASE_URL"].startswith(f"postgresql://{owner}:owners@")


def test_valkey_answers_only_with_the_password() -> None:
    port = free_port()
    (mounted,) = SERVICES["valkey"]["configs"]
    program, target, *options = SERVICES["valkey"]["command"]
    assert (program, target) == ("valkey-server", mounted["target"])
    assert "valkeys" not in " ".join(options)
    with public_directory() as directory:
        (directory / "valkey.conf").write_text(filled(FILE["configs"][mounted["source"]]["content"], SECRETS))
        process = subprocess.Popen(
            [valkey_binary(), directory / "valkey.conf", *options, "--port", str(port), "--bind", "127.0.0.1"],
            cwd=directory,
            stdout=subprocess.DEVNULL,
        )
        try:
            password = environment("web")["REDIS_URL"].partition("://:")[2].partition("@")[0]
            with redis.Redis(port=port, password=password) as client:
                until(lambda: answers(client), 20)
                assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-lru"}
            with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
                stranger.ping()
            assert environment("valkey")["VALKEYCLI_AUTH"] == password
        finally:
            end(process, (signal.SIGTERM, 5))


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_the_development_mailbox_reaches_neither_server() -> None:
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}
    assert networks["mail"] == {"mail"}
    assert {name for name, joined in networks.items() if "mail" in joined} == {"mail", "worker"}
    assert networks["postgres"] == networks["valkey"] == {"servers"}
    assert FILE["networks"]["servers"]["internal"] is True
    assert all("servers" in networks[name] for name in CHAT)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_limits(service: str) -> None:
    settings = SERVICES[service]
    assert re.fullmatch(r"\d+[mg]", settings["mem_limit"])
    assert 0 < settings["pids_limit"] <= 512
    assert settings["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}}
    assert settings["security_opt"] == ["no-new-privileges:true"]


def test_a_service_that_refuses_its_settings_does_not_restart_for_ever() -> None:
    assert SERVICES["flower"]["restart"] == "on-failure:3"
    assert {SERVICES[name]["restart"] for name in ("web", "worker", "beat")} == {"unless-stopped"}


def test_images_of_others_are_pinned_by_version() -> None:
    images = {service["image"] for service in SERVICES.values()} - {"chat"}
    assert len(images) == 3
    assert [image for image in images if not re.search(r":v?\d+\.\d+(\.\d+)?(-alpine)?$", image)] == []
    bases = re.findall(r"^FROM (\S+)", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE)
    assert [base for base in bases if not re.search(r":\d+\.\d+", base)] == []


def test_the_memory_limit_covers_what_valkey_may_hold() -> None:
    options = SERVICES["valkey"]["command"]
    most = int(options[options.index("--maxmemory") + 1].removesuffix("mb"))
    assert int(SERVICES["valkey"]["mem_limit"].removesuffix("m")) >= 2 * most
