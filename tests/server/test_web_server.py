"""The addresses a server listens on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.local.processes import free_port
from tests.support.chat import until
from tests.support.processes import ROOT

SERVE = """
import sys
from app.server import web_server

async def answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})

host, port, workers = sys.argv[1:]
if __name__ == "__main__":
    sys.exit(web_server.run(web_server.Config(
        "serve:answer", host=host, port=int(port), workers=int(workers), lifespan="off", log_config=None,
        http="app.server.http_protocol:RequestProtocol", ws="none",
    )))
"""


def answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=5) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            return peer.recv(12) == b"HTTP/1.1 204"
    except OSError:
        return False


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("host", "heard"), [("::", ["127.0.0.1", "::1"]), ("::1", ["::1"]), ("127.0.0.1", ["127.0.0.1"])]
)
def test_one_or_many_processes_listen_on_the_given_address(
    tmp_path: Path, host: str, heard: list[str], workers: int
) -> None:
    (tmp_path / "serve.py").write_text(SERVE)
    port = free_port()
    command = [sys.executable, str(tmp_path / "serve.py"), host, str(port), str(workers)]
    with subprocess.Popen(command, env={"PYTHONPATH": f"{ROOT}:{tmp_path}"}, start_new_session=True) as server:
        try:
            until(lambda: any(answers(one, port) for one in ("127.0.0.1", "::1")), 30)
            assert [one for one in ("127.0.0.1", "::1") if answers(one, port)] == heard
        finally:
            os.killpg(server.pid, signal.SIGKILL)  # the processes that serve, too


def test_an_address_of_another_machine_ends_the_start_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(SERVE)
    command = [sys.executable, str(tmp_path / "serve.py"), "2001:db8::1", str(free_port()), "1"]
    ended = subprocess.run(
        command, env={"PYTHONPATH": f"{ROOT}:{tmp_path}"}, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 3
    assert "Traceback" not in ended.stderr


INTERRUPTED = """
import os, signal
from app.server import web_server

def application():
    os.kill(os.getpid(), signal.SIGTERM)
    print("still starting", flush=True)

web_server.run(web_server.Config(application, factory=True, log_config=None, lifespan="off", ws="none"))
"""


def test_a_stop_signal_ends_a_server_that_is_still_importing_its_application() -> None:
    command = [sys.executable, "-c", INTERRUPTED]
    server = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (server.returncode, server.stdout) == (-signal.SIGTERM, "")
