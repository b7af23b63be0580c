"""The worker's process pool. A result that was partly read when the broker went away is read to its end afterwards.

Celery creates a new reader for each process's pipe after a reconnect. That reader would parse the rest of the result as
the header of another one, and the worker would exit with an UnpicklingError.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from celery.concurrency import asynpool, prefork


class ResultHandler(asynpool.ResultHandler):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._unfinished: dict[int, tuple[object, Generator[None]]] = {}

    def _recv_message(
        self, add_reader: Callable[..., object], fd: int, callback: Callable[[Any], object]
    ) -> Generator[None]:
        """Returns the unfinished reader of this pipe if it belongs to the same process, else a new one."""
        process = self.fileno_to_outq.get(fd)
        of, reader = self._unfinished.get(fd, (None, None))
        if reader is None or of is not process:
            reader = self._read(add_reader, fd, callback)
            self._unfinished[fd] = process, reader
        return reader

    def _read(self, add_reader: Callable[..., object], fd: int, callback: Callable[[Any], object]) -> Generator[None]:
        here = self._unfinished.get(fd)
        try:
            yield from super()._recv_message(add_reader, fd, callback)
        finally:
            if self._unfinished.get(fd) is here:
                del self._unfinished[fd]


class Pool(asynpool.AsynPool):
    ResultHandler = ResultHandler


class TaskPool(prefork.TaskPool):
    Pool = Pool
