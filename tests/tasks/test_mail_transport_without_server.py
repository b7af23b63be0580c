"""Production without a mail server warns at the start and does not count a written file as a sent mail."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from app.cli.serve import mail_warnings
from app.settings import Settings
from app.wiring import make_celery
from tests.support.client import eventually
from tests.support.places import Place, placed
from tests.support.processes import SECRET
from tests.support.servers import TestPostgres
from tests.support.web import API, running

URL = "smtps://chat:secret@mail.example.org"


@pytest.fixture(scope="module")
def place(postgres: TestPostgres, settings: Settings) -> Iterator[Place]:
    with placed(
        postgres, settings, "unsent", SMTP_URL="", ENVIRONMENT="production", SECRET_KEY=f"{SECRET}-qwertzuiop"
    ) as it:
        yield it


async def test_without_a_mail_server_a_mail_is_written_to_a_file(place: Place) -> None:
    worker = place.processes.worker()
    assert "SMTP_URL is not set" in worker.said
    make_celery(place.settings)
    person = {"email": "ada@example.org", "password": "correct horse battery", "first_name": "Ada", "last_name": "L"}
    async with running(place.settings) as api:
        assert (await api.post(f"{API}/users/", json=person)).status_code == 201
        with psycopg.connect(place.settings.libpq_url, autocommit=True) as connection:
            settled = "SELECT kind, outcome FROM mails WHERE outcome IS NOT NULL"
            await eventually(lambda: connection.execute(settled).fetchall() == [("welcome", "written")])
    [file] = (place.settings.data_dir / "mail").glob("*.eml")
    assert b"\r\nTo: ada@example.org\r\n" in file.read_bytes()
    assert place.mailboxes.letters == []


def test_only_production_warns_about_a_missing_mail_server() -> None:
    def warnings(**fields: str) -> list[str]:
        return mail_warnings(Settings(**fields))  # type: ignore[arg-type]

    assert warnings() == warnings(environment="production", smtp_url=URL, mail_from="chat@example.org") == []
    (server,) = warnings(environment="production")
    assert server.startswith("SMTP_URL is not set")
    (sender,) = warnings(environment="production", smtp_url=URL)
    assert sender.startswith("MAIL_FROM is not set")
