"""A task's result that is half read when the broker goes away is read to its end when it is back."""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from kombu.asynchronous import Hub

from app.tasks.broker.worker_pool import ResultHandler

RESULT = ("a task", "and what became of it")
HEAD = struct.Struct(">i")


class Pipe:
    """That of one process of the pool, and the loop that reads it, as AsynPool registers it."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.heard: list[object] = []
        self.processes: dict[int, object] = {self.reader: object()}
        self.hub: Any = Hub()  # type: ignore[no-untyped-call]
        self.handler = ResultHandler.__new__(ResultHandler)
        self.handler.__dict__.update(fileno_to_outq=self.processes, on_state_change=self.heard.append, _unfinished={})
        self.connect()

    def connect(self) -> None:
        """As after each reconnect to the broker."""
        self.hub.reset()
        self.handler.register_with_event_loop(self.hub)
        self.hub.add_reader(self.reader, self.handler.handle_event, self.reader)

    def read(self) -> None:
        """What there is, as the loop does it when the pipe is readable."""
        callback, arguments = self.hub.readers[self.reader]
        if hasattr(callback, "send"):
            next(callback, None)
        else:
            callback(*arguments)

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)
        self.hub.close()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def message() -> bytes:
    body = pickle.dumps(RESULT)
    return HEAD.pack(len(body)) + body


@pytest.mark.parametrize("first", [2, HEAD.size, HEAD.size + 5])
def test_a_partial_result_survives_reconnects(pipe: Pipe, first: int) -> None:
    for part in (message()[:first], message()[first:-2], message()[-2:]):
        assert pipe.heard == []
        os.write(pipe.writer, part)
        pipe.read()
        pipe.connect()
    assert pipe.heard == [RESULT]
    os.write(pipe.writer, message())
    pipe.read()
    assert pipe.heard == [RESULT, RESULT]


def test_a_partial_result_of_a_dead_process_is_dropped_before_its_successor_writes(pipe: Pipe) -> None:
    os.write(pipe.writer, message()[:9])
    pipe.read()
    pipe.processes[pipe.reader] = object()  # another process, whose pipe has the same number
    pipe.connect()
    os.write(pipe.writer, message())
    pipe.read()
    assert pipe.heard == [RESULT]
