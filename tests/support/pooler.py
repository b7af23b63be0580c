"""A connection pooler in its own threads: clients share sessions of Postgres, per transaction or per session.

It says what poolers say: its own process id for Postgres's, and nothing of the `options` a client starts with.
"""

from __future__ import annotations

import os
import secrets
import select
import socket
import threading
from contextlib import suppress
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import psycopg

NEGOTIATIONS: Final = (80877103, 80877104)
CANCEL: Final = 80877102
TOLD: Final = ("server_version", "client_encoding", "DateStyle", "TimeZone", "standard_conforming_strings")
Mode = Literal["transaction", "session"]


class Pooler:
    """In front of the database of `url`; `through` is the same URL through here."""

    def __init__(self, url: str, mode: Mode) -> None:
        self.url, self.mode = url, mode
        self._idle: list[socket.socket] = []
        self._kept: list[psycopg.Connection[Any]] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._clients: list[socket.socket] = []
        parts = urlsplit(url)
        credentials, at, _ = parts.netloc.rpartition("@")
        port = self._listener.getsockname()[1]
        self.through = parts._replace(netloc=f"{credentials}{at}127.0.0.1:{port}").geturl()

    def start(self) -> None:
        threading.Thread(target=self._accept, name="pooler", daemon=True).start()

    def stop(self) -> None:
        self._listener.close()
        for one in (*self._clients, *self._idle):
            one.close()
        for connection in self._kept:
            connection.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._clients.append(client)
                threading.Thread(target=self._serve, args=(client,), name="pooled", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server: socket.socket | None = None
        with suppress(OSError, EOFError, ValueError):
            if not self._greet(client):
                return
            pending = b""
            while True:
                ready, _, _ = select.select([client] if server is None else [client, server], [], [], 60)
                if client in ready:
                    data = client.recv(65536)
                    if not data or data[:1] == b"X":
                        break
                    if server is None:
                        server = self._take()
                    server.sendall(data)
                elif server is not None and server in ready:
                    data = server.recv(65536)
                    client.sendall(data)
                    pending, idle = _read(pending + data)
                    if idle and self.mode == "transaction":
                        self._idle.append(server)
                        server = None
        client.close()
        if server is not None:
            server.close()

    def _greet(self, client: socket.socket) -> bool:
        while True:
            size = int.from_bytes(_exactly(client, 4))
            body = _exactly(client, size - 4)
            code = int.from_bytes(body[:4])
            if code == CANCEL:
                client.close()
                return False
            if code not in NEGOTIATIONS:
                break
            client.sendall(b"N")
        self._idle.append(self._take())  # so that there is one
        info = self._kept[0].info
        said = _message(b"R", bytes(4))
        for name in TOLD:
            said += _message(b"S", f"{name}\0{info.parameter_status(name) or ''}\0".encode())
        said += _message(b"K", secrets.token_bytes(8)) + _message(b"Z", b"I")
        client.sendall(said)
        return True

    def _take(self) -> socket.socket:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            connection = psycopg.connect(self.url, autocommit=True, sslmode="disable", connect_timeout=3)
            self._kept.append(connection)
            one = socket.socket(fileno=os.dup(connection.fileno()))
            one.setblocking(True)
            return one


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4) + body


def _read(data: bytes) -> tuple[bytes, bool]:
    """What is left of an unfinished message, and whether the last one said that no transaction is open."""
    idle = False
    while len(data) >= 5 and len(data) >= (size := 1 + int.from_bytes(data[1:5])):
        idle = data[:1] == b"Z" and data[5:6] == b"I"
        data = data[size:]
    return data, idle and not data


def _exactly(one: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = one.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data
