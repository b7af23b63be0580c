"""Decides whether this start of `chat up` is a local one, and whether it prints the link for the first operator."""

from __future__ import annotations

from pathlib import Path
from typing import Final, TextIO

from app.development.local_start import LocalStart
from app.domain.welcome import first_link
from app.local.embedded import EmbeddedServers
from app.local.postgres import EmbeddedPostgres
from app.settings import Settings

PAGE: Final = Path(__file__).resolve().parents[1] / "web" / "site" / "index.html"
"""The web app, which the link opens."""


def local_start(settings: Settings, servers: EmbeddedServers, screen: TextIO) -> tuple[LocalStart | None, str]:
    """Returns what the processes of this start are to know, None unless it is development on embedded servers, and the
    token of the link to print on `screen`, empty for none.

    A link is made for a terminal only, because files and the logs of containers are read by others; and not once the
    chat has an operator.
    """
    postgres = servers.postgres
    if settings.is_production or postgres is None or servers.valkey is None:
        return None, ""
    if not screen.isatty() or not settings.web_ui or not PAGE.is_file() or _has_operator(postgres):
        return LocalStart(), ""
    token, link = first_link.make()
    return LocalStart(first_link=link), token


def _has_operator(postgres: EmbeddedPostgres) -> bool:
    with postgres.connect("chat") as connection:
        found = connection.execute("SELECT EXISTS (SELECT FROM users WHERE is_operator)").fetchone()
    return found is not None and bool(found[0])
