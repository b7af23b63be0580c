"""Worker, beat, Flower and `chat queues` read `REDIS_URL` as the API does; the start refuses one that cannot work."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import msgspec
import pytest
import redis

from app.local.processes import free_port
from app.local.valkey import EmbeddedValkey
from app.redis.client import RedisClient
from app.settings import Settings, SettingsRefused, load
from app.tasks import celery_app, queue_stats
from app.tasks.celery_app import PERIODIC
from tests.support.chat import until
from tests.support.command import chat
from tests.support.frequent_tasks import noted
from tests.support.places import Place
from tests.support.processes import SECRET, Process, processes
from tests.support.servers import TestPostgres, public_directory
from tests.support.tls import TlsFront

pytestmark = pytest.mark.timeout(120)
SOON: Final = 60.0
DATABASE: Final = 5


class Server(msgspec.Struct, frozen=True):
    """A Valkey with a socket, and one way to it with TLS, whose certificate `authority` (a file) has signed."""

    valkey: EmbeddedValkey
    tls: TlsFront
    socket: Path

    def client(self) -> redis.Redis:
        """On the database that all the addresses name, past everything of ours."""
        return redis.Redis(port=self.valkey.port, password=self.valkey.password, db=DATABASE)

    def url(self, form: str) -> str:
        password = self.valkey.password
        tls = f"rediss://:{password}@localhost:{self.tls.port}/{DATABASE}"
        return {
            "socket": f"unix://:{password}@{self.socket}?db={DATABASE}",
            "database as an option": f"redis://:{password}@127.0.0.1:{self.valkey.port}?db={DATABASE}",
            "password as an option": f"redis://127.0.0.1:{self.valkey.port}/{DATABASE}?password={password}",
            "TLS": f"{tls}?ssl_ca_certs={self.tls.authority}",
            "TLS, Celery's word": f"{tls}?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs={self.tls.authority}",
            "TLS, not verified": f"{tls}?ssl_cert_reqs=none",
            "TLS, unknown authority": tls,
        }[form]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with public_directory() as directory:
        valkey = EmbeddedValkey(
            directory / "valkey", options={"appendonly": "no", "unixsocket": str(directory / "redis.sock")}
        )
        valkey.start()
        tls = TlsFront(valkey.port, directory)
        yield Server(valkey, tls, directory / "redis.sock")
        tls.close()
        valkey.stop()


def settings_of(url: str, database: str = "postgres://chat@127.0.0.1:1/chat") -> Settings:
    given = {"DATABASE_URL": database, "REDIS_URL": url, "SECRET_KEY": SECRET}
    return load(given, env_file=Path("/nowhere"))


FORMS = ["socket", "database as an option", "password as an option", "TLS", "TLS, Celery's word", "TLS, not verified"]


@pytest.mark.parametrize("form", FORMS)
async def test_every_client_uses_the_same_database_and_the_same_certificate_check(server: Server, form: str) -> None:
    url = settings_of(server.url(form)).redis_url
    redis_client = RedisClient(url)
    await redis_client.call(lambda client: client.set("said", "by the API"), deadline=5)
    await redis_client.close()
    with celery_app.make(url).connection() as connection:
        client = connection.default_channel.client
        assert client.get("said") == b"by the API"
        made = client.connection_pool.make_connection()
    assert made.db == DATABASE
    if form.startswith("TLS"):
        verified = "not verified" not in form
        assert (made.cert_reqs == ssl.CERT_REQUIRED) is verified
        assert made.check_hostname is verified
    assert queue_stats.read_stats(url).report.workers == []
    with server.client() as direct:
        assert direct.get("said") == b"by the API"
        direct.flushdb()


@pytest.mark.parametrize("form", ["socket", "TLS"])
def test_periodic_tasks_run_and_queues_are_shown_with_every_form_of_the_url(
    place: Place, server: Server, form: str, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.touch()
    url = server.url(form)
    program = ("tests.support.frequent_tasks", str(notes))
    with processes(place.processes.directory, place.processes.environment["DATABASE_URL"], url) as started:
        api = started.api()
        worker = started.worker(program=program)
        beat = started.beat(program=program)
        until(
            lambda: set(noted(notes, 0)) == set(PERIODIC),
            SOON,
            lambda: f"{noted(notes, 0)}\n{beat.said}\n{worker.said[-2_000:]}",
        )
        assert httpx.get(f"{api.url}/readyz", trust_env=False).json()["degraded"] == []
        received = chat(settings_of(url, place.processes.environment["DATABASE_URL"]), "queues")
        assert received.returncode == 0, received.stdout + received.stderr
        assert "celery@" in received.stdout
    with server.client() as client:
        assert client.exists("_kombu.binding.upkeep", "chat:work:totals") == 2
        client.flushdb()


def test_flower_shows_the_queues_of_a_socket(place: Place, server: Server) -> None:
    port = free_port()
    environment = {**place.processes.environment, "REDIS_URL": server.url("socket")}
    environment["FLOWER_BASIC_AUTH"] = "operator:correct-horse"
    one = Process("flower", ["--port", str(port)], place.processes.directory, environment)
    try:
        with server.client() as client:
            client.lpush("cache", *["{}"] * 77)

            def shown() -> bool:
                try:
                    answer = httpx.get(
                        f"http://127.0.0.1:{port}/broker", auth=("operator", "correct-horse"), trust_env=False
                    )
                except httpx.HTTPError:
                    return False
                return answer.status_code == 200 and ">77<" in answer.text.replace(" ", "").replace("\n", "")

            until(shown, 60, lambda: one.said[-2_000:])
            client.delete("cache")
    finally:
        one.end()


def test_a_server_with_an_untrusted_certificate_receives_neither_password_nor_task(
    place: Place, server: Server, tmp_path: Path
) -> None:
    url = server.url("TLS, unknown authority")
    for open_one in (
        lambda: celery_app.make(url).connection().ensure_connection(max_retries=1, timeout=3),
        lambda: queue_stats.read_stats(url),
    ):
        with pytest.raises((redis.ConnectionError, OSError, Exception), match="certificate verify failed"):
            open_one()
    with processes(place.processes.directory, place.processes.environment["DATABASE_URL"], url) as started:
        beat = started.beat(program=("tests.support.frequent_tasks", str(tmp_path / "notes")))
        until(lambda: "certificate verify failed" in beat.said, SOON, lambda: beat.said)
        assert server.valkey.password not in beat.said
        assert beat.said.count("broker_away") == 1
        assert "Traceback" not in beat.said


def test_celery_has_no_result_backend() -> None:
    assert celery_app.make("redis://127.0.0.1:1/0").conf.result_backend is None


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("unix://", "path of the socket"),
        ("redis://h/queue", "number of a database"),
        ("redis://h:port/0", "cannot be read"),
        ("redis://[::1/0", "cannot be read"),
        ("unix:///run/redis.sock?db=one", "cannot be read"),
        ("redis://h/0?family=0", "option family is not one of"),
        ("redis://h/0?decode_responses=true", "option decode_responses"),
        ("redis://h/0?socket_timeout=60", "option socket_timeout"),
        ("redis://:correct?horse-battery=staple@h/0", "cannot be read"),
        ("redis://u:1?horse-battery=staple@h/0", "an option is not one of"),
        ("redis://h/0?ssl_cert_reqs=none", "needs rediss://"),
        ("rediss://h/0?ssl_cert_reqs=sometimes", "one of none, optional, required"),
        ("rediss://h/0?ssl_ca_certs=/nowhere/ca.pem", "file that does not exist"),
        ("sentinel://h/0", "must begin with redis://, rediss:// or unix://"),
    ],
)
@pytest.mark.parametrize("name", ["REDIS_URL", "CACHE_REDIS_URL"])
def test_an_unusable_redis_url_stops_the_start_with_one_sentence(
    tmp_path: Path, name: str, url: str, word: str
) -> None:
    environment = {"DATABASE_URL": "postgres://chat@db/chat", "REDIS_URL": "redis://h", "DATA_DIR": str(tmp_path)}
    with pytest.raises(SettingsRefused) as refused:
        load({**environment, name: url}, env_file=tmp_path / "none")
    (problem,) = refused.value.problems
    assert problem.startswith(f"{name}: ")
    assert word in problem
    assert "horse" not in problem


@pytest.mark.parametrize("verb", ["api", "worker", "beat", "flower"])
@pytest.mark.parametrize("name", ["REDIS_URL", "CACHE_REDIS_URL"])
def test_a_cluster_node_stops_the_start_with_one_sentence(
    place: Place, cluster: EmbeddedValkey, name: str, verb: str
) -> None:
    environment = {**place.processes.environment, "CACHE_REDIS_URL": place.settings.redis_url, name: cluster.url}
    environment["FLOWER_BASIC_AUTH"] = "operator:correct-horse"
    one = Process(verb, [], place.processes.directory, environment)
    try:
        assert one.process.wait(60) == 2
    finally:
        one.end()
    assert f"chat: {name}: this server is a node of a Redis Cluster" in one.said
    assert "Traceback" not in one.said


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedValkey]:
    with public_directory() as directory:
        valkey = EmbeddedValkey(directory / "valkey", options={"appendonly": "no", "cluster-enabled": "yes"})
        valkey.start()
        yield valkey
        valkey.stop()


def test_a_semicolon_in_the_password_does_not_add_a_server(postgres: TestPostgres) -> None:
    with served_with("semi;colon@and:more") as url, celery_app.make(url).connection() as connection:
        connection.ensure_connection(max_retries=1, timeout=5)
        assert not connection.alt
        assert connection.default_channel.client.ping()


@contextmanager
def served_with(password: str) -> Iterator[str]:
    with public_directory() as directory:
        valkey = EmbeddedValkey(directory / "valkey", options={"appendonly": "no"})
        valkey.start()
        with redis.Redis.from_url(valkey.url) as client:
            client.config_set("requirepass", password)
        yield f"redis://:{password.replace('@', '%40').replace(':', '%3A')}@127.0.0.1:{valkey.port}/0"
        valkey.stop()
