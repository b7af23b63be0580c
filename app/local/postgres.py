"""A real Postgres from a wheel: durable, bound to the loopback, with its own password; its data survives restarts.

One caller owns the directory at a time (through the supervisor's lock, or as a test's temporary directory), so a start
ends any server that a killed run left there. The port is chosen once per object and stays the same after a restart.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from app.local import database_roles
from app.local.character_type import character_type
from app.local.os_account import OsAccount
from app.local.processes import (
    StartRefused,
    dying_with_us,
    end,
    free_port,
    last_line,
    port_is_taken,
    stop_leftovers,
    wait_until,
)

START_SECONDS: Final = 60  # recovery after a kill may replay a lot of WAL
OPTIONS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "log_min_messages": "warning",
    # A failed statement and its values may hold users' messages and addresses, so neither is logged.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


class EmbeddedPostgres:
    """One server in `directory`. `options` are Postgres settings that override `OPTIONS`."""

    def __init__(self, directory: Path, *, port: int = 0, options: Mapping[str, str] | None = None) -> None:
        self.directory = directory.absolute()
        self.port = port or free_port()
        self.options = {**OPTIONS, **(options or {})}
        self.process: subprocess.Popen[bytes] | None = None

    @cached_property
    def account(self) -> OsAccount:
        return OsAccount(self.directory)

    @property
    def data(self) -> Path:
        return self.account.home / "data"

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    def url(self, database: str = "chat", role: str = database_roles.APPLICATION) -> str:
        return f"postgresql://{role}:{self.password_of(role)}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """Connects as the administrator."""
        return psycopg.connect(self.url(database, database_roles.ADMINISTRATOR), autocommit=True, connect_timeout=3)

    def start(self) -> None:
        """Starts the server and returns when it is ready. Raises StartRefused with the reason."""
        self.directory.mkdir(parents=True, exist_ok=True)
        stop_leftovers(self.data, "postgres", signal.SIGINT)
        if not self.data.exists():
            self._create()
        self._check_version()
        # No server runs on this directory now. The process id in a stale file may belong to another program, which
        # Postgres would take for a live server.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for attempt in range(3):
            try:
                self._run()
                break
            except StartRefused:
                # Another process took the port between our check and Postgres's bind.
                if attempt == 2 or not port_is_taken(self.port):
                    raise
                self.port = free_port()
        if self.is_standby():  # roles and databases are replicated from its primary
            return
        with self.connect() as connection:
            database_roles.create_roles(connection, self.password_of)
        self.create_database("chat")
        with self.connect("chat") as connection:
            database_roles.transfer(connection, "chat")

    def create_database(self, name: str, template: str = "") -> None:
        """Creates the database unless it exists: as a copy of `template`, or empty and with a Unicode character type,
        whatever the data directory was initialized with."""
        unicode_template = sql.SQL(
            "template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE {} LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
        )
        template_options = sql.Identifier(template) if template else unicode_template.format(character_type())
        with self.connect() as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                        sql.Identifier(name), sql.Identifier(database_roles.OWNER), template_options
                    )
                )

    def is_standby(self) -> bool:
        """Whether this server replicates another one."""
        with self.connect() as connection:
            row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
        return row is not None and bool(row[0])

    def has_unicode_character_type(self) -> bool:
        """Whether searches in the chat's database find names outside ASCII."""
        with self.connect() as connection:
            found = connection.execute("SELECT datctype FROM pg_database WHERE datname = 'chat'").fetchone()
        return found is None or found[0] not in ("C", "POSIX")

    def stop(self) -> None:
        """Shuts down fast: sessions end, committed data stays. Escalates to SIGQUIT and SIGKILL after timeouts."""
        if self.process:
            end(self.process, (signal.SIGINT, 6), (signal.SIGQUIT, 2))
            stop_leftovers(self.data, "postgres", signal.SIGQUIT, seconds=1)

    def _run(self) -> None:
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        settings = [argument for key, value in self.options.items() for argument in ("-c", f"{key}={value}")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [self.account.binaries / "postgres", "-D", self.data, "-p", str(self.port), *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.data,
                env={"LC_ALL": "C", "TZ": "UTC"},
                start_new_session=True,  # Ctrl-C must reach only the supervisor, which stops servers last
                preexec_fn=dying_with_us(signal.SIGINT),
                **self.account.run_as,
            )
        wait_until(self._answers, self.process, seconds=START_SECONDS, what="Postgres", log=self.log)

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _create(self) -> None:
        """Runs initdb in a draft directory: an interrupted run leaves no data directory that looks complete."""
        draft, password_file = self.account.home / "data.new", self.account.home / "password.new"
        shutil.rmtree(draft, ignore_errors=True)
        password_file.touch(mode=0o600)
        password_file.write_text(self.password_of(database_roles.ADMINISTRATOR))
        self.account.give(password_file)
        command: list[str | Path] = [
            self.account.binaries / "initdb",
            "-D",
            draft,
            "-U",
            database_roles.ADMINISTRATOR,
            f"--pwfile={password_file}",
        ]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", f"--lc-ctype={character_type()}"]
        if self.options.get("fsync") == "off":
            command.append("--no-sync")
        with self.log.open("wb") as log:
            try:
                subprocess.run(
                    command,
                    check=True,
                    timeout=START_SECONDS,
                    cwd=self.account.home,
                    env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    **self.account.run_as,
                )
            except subprocess.SubprocessError as error:
                raise StartRefused(f"Postgres could not create its data directory ({last_line(self.log)}).") from error
            finally:
                password_file.unlink()
        draft.rename(self.data)

    def _check_version(self) -> None:
        data_version = (self.data / "PG_VERSION").read_text().strip()
        server_version = subprocess.run(
            [self.account.binaries / "postgres", "--version"], capture_output=True, text=True, timeout=10
        )
        if f" {data_version}." not in server_version.stdout:
            raise StartRefused(
                f"The data in {self.data} was written by Postgres {data_version}, and this is "
                f"{server_version.stdout.strip()}: dump it with the old version, or move the directory away to start "
                "with an empty one."
            )

    def password_of(self, role: str) -> str:
        return database_roles.kept_password(self.directory, role)
