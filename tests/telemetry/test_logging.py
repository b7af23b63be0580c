"""One log for all processes: bounded, shared and free of secrets."""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from app.settings import Settings
from app.telemetry import logging as chat_logging
from app.telemetry.request_log import RequestLog

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMTk5In0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield tmp_path / "log" / "chat.log"
    for handler in root.handlers:
        if handler not in before:
            handler.close()
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def configured(log_file: Path, **settings: Any) -> None:
    # pytest's own handlers listen on the root logger; ours replaces them for this test only.
    chat_logging.configure(msgspec.structs.replace(Settings(log_file=log_file), **settings), process="api")


def lines(log_file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log_file.read_text().splitlines()]


def test_a_request_is_logged_once_because_uvicorns_access_log_has_no_handler(log_file: Path) -> None:
    logging.getLogger("uvicorn.access").propagate = True
    configured(log_file)
    assert not logging.getLogger("uvicorn.access").hasHandlers()  # what uvicorn checks before it writes any
    assert logging.getLogger("uvicorn.error").hasHandlers()


def test_libraries_and_the_chat_write_the_same_kind_of_line(log_file: Path) -> None:
    # As uvicorn leaves it when it was started with its own configuration: lines would pass by our file.
    logging.getLogger("uvicorn").propagate = False
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    configured(log_file)
    structlog.contextvars.bind_contextvars(request_id="r-1")
    structlog.get_logger("app.domain").info("stored", seq=5)
    logging.getLogger("uvicorn.error").warning("%s - %d", "hello", 7)
    ours, theirs = lines(log_file)
    assert ours["event"] == "stored"
    assert ours["seq"] == 5
    assert theirs["event"] == "hello - 7"
    for line in (ours, theirs):
        assert line["process"] == "api"
        assert line["request_id"] == "r-1"
        assert line.keys() >= {"timestamp", "level", "logger"}


def test_a_line_below_the_level_is_not_written(log_file: Path) -> None:
    configured(log_file, log_level="WARNING")
    structlog.get_logger("app").info("unimportant")
    logging.getLogger("celery").info("unimportant")
    logging.getLogger("celery").warning("important")
    assert [line["event"] for line in lines(log_file)] == ["important"]


def test_the_libraries_report_problems_and_not_each_task(log_file: Path) -> None:
    configured(log_file)
    for name in ("celery.worker.request", "celery.worker.strategy", "celery.app.trace", "celery.beat"):
        logging.getLogger(name).info("Discarding revoked task: %s[%s]", "chat.notifications.overlooked", "1")
        logging.getLogger(name).warning("important")
    logging.getLogger("celery.worker.consumer.consumer").warning("connection lost")  # ours is `broker_away`
    assert [line["event"] for line in lines(log_file)] == ["important"] * 4


def test_no_logger_writes_a_token(log_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured(log_file)
    logging.getLogger("uvicorn.error").info('%s - "WebSocket %s" [accepted]', "::1", f"/ws/conversations?token={JWT}")
    structlog.get_logger("app").warning("login", password="canary-password", headers={"Authorization": f"Bearer {JWT}"})
    try:
        raise ValueError(f"cannot read {JWT}")
    except ValueError:
        structlog.get_logger("app").exception("failed", token=JWT)
        logging.getLogger("celery").exception("failed with token=%s", "canary-token")
    written = log_file.read_text() + capsys.readouterr().out
    assert "ValueError: cannot read [hidden]" in written
    for secret in (JWT, JWT.split(".")[2], "canary-password", "canary-token"):
        assert secret not in written


@pytest.mark.parametrize(("environment", "is_json"), [("production", True), ("development", False)])
def test_the_console_writes_json_in_production_and_text_in_development(
    log_file: Path, capsys: pytest.CaptureFixture[str], environment: str, is_json: bool
) -> None:
    configured(log_file, environment=environment)
    structlog.get_logger("app").info("stored", seq=5)
    shown = capsys.readouterr().out
    assert shown.startswith("{") is is_json
    assert ("seq=5" in shown) is not is_json


def test_a_request_precedes_what_was_logged_after_its_end(log_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured(log_file)

    async def serve() -> None:
        async def answer(_scope: Any, _receive: Any, send: Any) -> None:
            structlog.get_logger("app").info("during")
            await send({"type": "http.response.start", "status": 204})

        async def nothing(_message: Any = None) -> Any:
            return None

        log = RequestLog(answer)
        await log({"type": "http", "method": "GET", "path": "/x", "headers": []}, nothing, nothing)
        structlog.get_logger("app").info("after")
        logging.getLogger("library").warning("later")

    asyncio.run(serve())
    assert [line["event"] for line in lines(log_file)] == ["during", "request", "after", "later"]
    times = [line["timestamp"] for line in lines(log_file)]
    assert times == sorted(times)
    assert all(time.endswith("Z") for time in times)
    words = [line.split()[1:4] for line in capsys.readouterr().out.splitlines()]
    assert words == [
        ["info", "api", "during"],
        ["info", "api", "GET"],
        ["info", "api", "after"],
        ["warning", "api", "later"],
    ]


def test_another_process_that_stops_while_it_rotates_delays_no_line(tmp_path: Path) -> None:
    handler = chat_logging.SharedFile(tmp_path / "chat.log")
    with (tmp_path / "chat.log.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        handler.emit(logging.makeLogRecord({"msg": "written"}))
    handler.close()
    assert (tmp_path / "chat.log").read_text() == "written\n"


WRITER = """
import logging, sys
from pathlib import Path
from app.telemetry.logging import SharedFile
log = logging.getLogger("test")
log.addHandler(SharedFile(Path(sys.argv[1]), largest=20_000, kept=200))
for number in range(2_000):
    log.warning("%s %04d %s", sys.argv[2], number, "." * 40)
"""


def test_several_processes_share_a_bounded_file_and_lose_no_line(tmp_path: Path) -> None:
    log_file = tmp_path / "chat.log"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(log_file), name]) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    files = [file for file in tmp_path.iterdir() if not file.name.endswith(".lock")]
    written = [line for file in files for line in file.read_text().splitlines()]
    assert sorted(line[:6] for line in written) == sorted(f"{name} {n:04d}" for name in "abc" for n in range(2_000))
    assert all(file.stat().st_size <= 21_000 for file in files)


def test_only_its_account_reads_the_log_and_an_earlier_one_is_tightened(tmp_path: Path) -> None:
    for name in ("chat.log", "chat.log.1", "chat.log.lock"):
        (tmp_path / name).write_text("earlier\n")
        (tmp_path / name).chmod(0o644)
    handler = chat_logging.SharedFile(tmp_path / "chat.log", largest=1_000, kept=3)
    for number in range(30):
        handler.emit(logging.makeLogRecord({"msg": f"{number:050d}"}))
    handler.close()
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("chat.log", "chat.log.1", "chat.log.2", "chat.log.lock"), 0o600)


def test_old_log_files_are_deleted(tmp_path: Path) -> None:
    handler = chat_logging.SharedFile(tmp_path / "chat.log", largest=1_000, kept=2)
    for number in range(200):
        handler.emit(logging.makeLogRecord({"msg": f"{number:050d}"}))
    handler.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["chat.log", "chat.log.1", "chat.log.2", "chat.log.lock"]
