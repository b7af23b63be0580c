"""Validates `REDIS_URL` and `CACHE_REDIS_URL` for the API, the workers, beat, Flower and `chat queues` alike.

redis-py's parser reads the URL everywhere. A URL that passes here connects in the same way in all of them; every other
URL is rejected at startup.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import redis.asyncio
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

SCHEMES: Final = ("redis", "rediss", "unix")
TLS_FILES: Final = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile")
TLS_OPTIONS: Final = (*TLS_FILES, "ssl_cert_reqs", "ssl_check_hostname", "ssl_password")
OPTIONS: Final = ("db", "username", "password", "client_name", "socket_keepalive")
"""Excludes timeouts and pool sizes: the chat sets its own, and options in a URL would override them."""

CERTIFICATE: Final = ("none", "optional", "required")
UNREADABLE: Final = (
    "cannot be read; write it as redis://:password@host:6379/0, special characters of the password as % and two digits"
)
CLUSTER_SECONDS: Final = 1.0
CLUSTER: Final = (
    "this server is a node of a Redis Cluster, which the chat cannot use; name a server that holds all keys itself"
)


def problem(url: str) -> str | None:
    """Returns why this URL is rejected, as the end of a sentence, or None. Contains no secret."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES:
            return "must begin with redis://, rediss:// or unix://"
        read: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
        if parts.hostname and parts.port == 0:
            return UNREADABLE
        found = _unknown(parts.scheme, read) or _wrong(parts.scheme, parts.path, read)
        if found is None:
            for client in (Redis, redis.asyncio.Redis):
                client.from_url(url).connection_pool.make_connection()
    except (TypeError, ValueError, RedisError):
        # The library's message may contain a part of the URL, and so the password.
        return UNREADABLE
    return found


def cluster_problem(url: str) -> str | None:
    """Returns CLUSTER if the server reports that it is a cluster node. A server that does not answer is accepted."""
    try:
        with Redis.from_url(
            url, socket_timeout=CLUSTER_SECONDS, socket_connect_timeout=CLUSTER_SECONDS, retry=Retry(NoBackoff(), 0)
        ) as client:
            report: Any = client.info("cluster")
    except (RedisError, OSError):
        return None
    return CLUSTER if report.get("cluster_enabled") else None


def _unknown(scheme: str, read: dict[str, Any]) -> str | None:
    """Rejects unknown options (TypeError in redis-py) and known ones that would override the chat's settings."""
    known = (*OPTIONS, *TLS_OPTIONS) if scheme == "rediss" else OPTIONS
    own = ("connection_class", "host", "port", "path")
    for name in read:
        if name not in known and name not in own:
            if name in TLS_OPTIONS:
                return f"the option {name} needs rediss://"
            # A name with other characters may be the rest of a password that contains a question mark.
            shown = f"the option {name[:40]}" if name.isidentifier() else "an option"
            return f"{shown} is not one of {', '.join(known)}"
    return None


def _wrong(scheme: str, path: str, read: dict[str, Any]) -> str | None:
    if scheme == "unix":
        return (
            None if read.get("path") else "the path of the socket is missing; write it as unix:///run/redis.sock?db=0"
        )
    if path.strip("/") and not path.strip("/").isdecimal():
        return "what follows the host must be the number of a database, as in redis://host:6379/0"
    if str(read.get("ssl_cert_reqs", "required")).lower() not in CERTIFICATE:
        return f"ssl_cert_reqs must be one of {', '.join(CERTIFICATE)}"
    for name in TLS_FILES:
        if name in read and not Path(read[name]).exists():
            return f"{name} names a file that does not exist"
    return None
