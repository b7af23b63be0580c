"""What a name may be, of people, groups and broadcasts alike: one form, a direction of its own, something to see."""

from __future__ import annotations

from typing import Literal
from unicodedata import normalize

import psycopg
import pytest

from app.domain.error_catalogue import invalid_message
from app.domain.errors import Invalid
from app.domain.orm import uuid7
from app.domain.validation import Faults, clean
from app.settings import Settings
from tests.support.operators import promote
from tests.support.web import API, PASSWORD, Client, Someone, join, problem, register

FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
BLANK = [
    "\u200b",
    "\ufeff",
    "\u00a0",
    "\u3164",
    "\u2800",
    "\u200d\u200c",
    " \u00ad ",
    "\u2060\u180e",
    "\u0301",
    "\U000e0041",
]
SEEN = ["نامه‌ها", "क्‍ष", "👩‍🚀", "李", "O’Neil", "Ада", "\u200bAda"]


async def attempts(api: Client, who: Someone, name: str) -> dict[str, int]:
    """The status of each way to give something this name."""
    account = {"email": f"{uuid7()}@example.org", "password": PASSWORD, "first_name": "Ada", "last_name": name}
    group = (await api.post(f"{API}/conversations/", json={"name": "Engines"}, headers=who.headers)).json()["id"]
    answers = {
        "register": await api.post(f"{API}/users/", json=account),
        "rename": await api.patch(f"{API}/me/", json={"last_name": name}, headers=who.headers),
        "replace": await api.put(f"{API}/me/", json={"first_name": name, "last_name": "B"}, headers=who.headers),
        "create": await api.post(f"{API}/conversations/", json={"name": name}, headers=who.headers),
        "change": await api.patch(f"{API}/conversations/{group}/", json={"name": name}, headers=who.headers),
        "announce": await api.post(
            f"{API}/ops/broadcasts/", json={"title": name, "text": "Hello.", "to": "everybody"}, headers=who.headers
        ),
    }
    return {way: answer.status_code for way, answer in answers.items()}


@pytest.fixture
async def root(api: Client, settings: Settings) -> Someone:
    root = await join(api, "Root")
    promote(settings.database_url, root.email)
    return root


@pytest.mark.parametrize("sign", BIDI)
async def test_a_name_cannot_reverse_the_text_around_it(api: Client, root: Someone, sign: str) -> None:
    found = await attempts(api, root, f"Bank{sign}knaB")
    assert set(found.values()) == {400}, found


@pytest.mark.parametrize("name", BLANK)
async def test_a_name_cannot_consist_of_invisible_characters(api: Client, root: Someone, name: str) -> None:
    found = await attempts(api, root, name)
    assert set(found.values()) == {400}, found


@pytest.mark.parametrize("name", SEEN)
async def test_joiners_and_marks_inside_a_name_are_accepted(api: Client, name: str) -> None:
    assert (await register(api, name))["first_name"] == name


async def test_names_are_kept_in_form_c_and_found_in_either_form(api: Client) -> None:
    eve = await join(api, "Eve")
    family = f"Ange\u0301lique{uuid7().hex[-12:]}"
    ada = await register(api, last_name=family)
    assert ada["last_name"] == normalize("NFC", family) != family
    for form in FORMS:
        answer = await api.get(f"{API}/users/", params={"search": normalize(form, family)}, headers=eve.headers)
        assert [one["id"] for one in answer.json()["items"]] == [ada["id"]]
    group = await api.post(f"{API}/conversations/", json={"name": family}, headers=eve.headers)
    assert group.json()["name"] == ada["last_name"]
    changed = await api.patch(
        f"{API}/conversations/{group.json()['id']}/", json={"name": f"{family}s"}, headers=eve.headers
    )
    assert changed.json()["name"] == f"{ada['last_name']}s"
    for form in FORMS:
        answer = await api.get(f"{API}/conversations/", params={"search": normalize(form, family)}, headers=eve.headers)
        assert [one["id"] for one in answer.json()["items"]] == [group.json()["id"]]


async def test_an_older_invalid_name_is_kept(api: Client, settings: Settings) -> None:
    ada = await join(api)
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE users SET last_name = %s WHERE id = %s", ["\u200b", ada.id])
    renamed = await api.patch(f"{API}/me/", json={"first_name": "Augusta"}, headers=ada.headers)
    assert (renamed.status_code, renamed.json()["last_name"]) == (200, "\u200b")


async def test_an_address_below_closed_invalid_is_refused(api: Client) -> None:
    for address in (f"{uuid7()}@closed.invalid", f"{uuid7()}@closed.INVALID"):
        account = {"email": address, "password": PASSWORD, "first_name": "Eve", "last_name": "Tester"}
        refused = problem(await api.post(f"{API}/users/", json=account), 400, "invalid")
        assert refused["errors"][0]["field"] == "email"


async def test_an_account_can_be_closed_when_another_has_its_closed_address(api: Client, settings: Settings) -> None:
    ada, eve = await join(api), await join(api, "Eve")
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE users SET email = %s WHERE id = %s", [f"{ada.id}@closed.invalid", eve.id])
    closed = await api.request("DELETE", f"{API}/me/", json={"current_password": PASSWORD}, headers=ada.headers)
    assert closed.status_code == 204, closed.text
    assert (await api.get(f"{API}/me/", headers=ada.headers)).status_code == 401


def test_faults_are_collected_and_raised_as_the_first_with_the_fields_of_all() -> None:
    faults = Faults()
    with faults:
        clean("", "text", 5)
    with faults:
        raise invalid_message(("reply_to", "Must be a seq."))
    with pytest.raises(Invalid) as raised:
        faults.raise_all()
    assert raised.value.code == "invalid"
    assert raised.value.errors == (("text", "Must not be empty or blank."), ("reply_to", "Must be a seq."))


def test_without_faults_nothing_is_raised_and_other_errors_pass() -> None:
    faults = Faults()
    with faults:
        assert clean("text", "text", 5) == "text"
    faults.raise_all()
    with pytest.raises(KeyError), faults:
        raise KeyError
