"""Parses DATABASE_URL as libpq does. All code uses this parser, so every libpq form works everywhere: several hosts,
socket directories, options."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl

import psycopg
from psycopg.conninfo import conninfo_to_dict

URL_FORMAT: Final = (
    "write it as postgresql://user:password@host:5432/chat, with special characters percent-encoded; several hosts as"
    " host1:5432,host2:5432, and a directory of sockets as %2Frun%2Fpostgresql"
)

Parameters = dict[str, Any]
"""libpq connection parameters by name."""


class AddressRefused(Exception):
    """The URL cannot be parsed. The message continues "DATABASE_URL: " and quotes nothing of the URL."""


def parameters(url: str) -> Parameters:
    """Returns the parameters of one connection, for all hosts of the URL. With several hosts, only a writable one is
    accepted.

    Raises AddressRefused.
    """
    url = "postgresql:" + url.partition(":")[2]
    names = [name for name, _ in parse_qsl(url.partition("?")[2])]
    if len(names) != len(set(names)):
        raise AddressRefused(f"it names a parameter twice; {URL_FORMAT}")
    try:
        found: Parameters = dict(conninfo_to_dict(url))
    except psycopg.Error:
        # libpq's error message quotes the faulty part, which may be a password.
        raise AddressRefused(f"libpq cannot read it; {URL_FORMAT}") from None
    ports = str(found.get("port", "")).split(",")
    if not all(port == "" or (port.isdecimal() and 1 <= int(port) <= 65_535) for port in ports):
        raise AddressRefused("a port is a number from 1 to 65535")
    named = {len(str(found[name]).split(",")) for name in ("host", "hostaddr") if found.get(name)}
    count = max(named, default=1)
    if len(named) > 1 or len(ports) not in (1, count):
        raise AddressRefused("it needs one port, or as many as there are hosts")
    if count > 1:
        found.setdefault("target_session_attrs", "read-write")
    return found


def hosts(found: Parameters) -> list[Parameters]:
    """Returns each host's parameters, in the order of the URL."""
    named = {name: str(found[name]).split(",") for name in ("host", "hostaddr", "port") if found.get(name)}
    count = max(len(named.get("host", [])), len(named.get("hostaddr", [])), 1)
    return [
        {**found, **{name: values[at if len(values) > 1 else 0] for name, values in named.items()}}
        for at in range(count)
    ]
