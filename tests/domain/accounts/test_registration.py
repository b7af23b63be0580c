"""Registration, and the user's own profile."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from app.domain.orm import uuid7
from tests.support.web import API, PASSWORD, Client, join, log_in, problem, register


def someone(**changes: object) -> dict[str, object]:
    person: dict[str, object] = {
        "email": f"{uuid7()}@example.org",
        "password": PASSWORD,
        "first_name": "Ada",
        "last_name": "Lovelace",
    }
    return {key: value for key, value in (person | changes).items() if value is not None}


async def test_a_registration_answers_the_profile_and_nothing_else(api: Client) -> None:
    wanted = someone()
    answer = await api.post(f"{API}/users/", json=wanted)
    assert answer.status_code == 201
    body = answer.json()
    assert list(body) == ["id", "email", "first_name", "last_name", "is_active", "who_may_add"]
    assert body == {**body, "email": wanted["email"], "first_name": "Ada", "last_name": "Lovelace", "is_active": True}


@pytest.mark.parametrize("path", ["/users", "/users/"])
async def test_a_trailing_slash_is_optional(api: Client, path: str) -> None:
    assert (await api.post(API + path, json=someone())).status_code == 201


async def test_an_address_in_any_case_belongs_to_one_account(api: Client) -> None:
    email = f"Ada.{uuid7()}@Example.org"
    await register(api, email=email)
    for again in (email, email.upper(), email.lower(), f" {email} "):
        problem(await api.post(f"{API}/users/", json=someone(email=again)), 409, "email_taken")
    await log_in(api, email.swapcase())


async def test_one_of_many_simultaneous_registrations_of_an_address_succeeds(api: Client) -> None:
    email = f"{uuid7()}@example.org"
    answers = await asyncio.gather(
        *(api.post(f"{API}/users/", json=someone(email=one)) for one in (email, email.upper()) * 4)
    )
    assert Counter(one.status_code for one in answers) == {201: 1, 409: 7}


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "ada@localhost",
        "ada@example..org",
        "ada@-example.org",
        "ada@example.org\nBcc: eve@example.org",
        "a da@example.org",
        "ada@exa mple.org",
        "ada,grace@example.org",
        "Ada <ada@example.org>",
        "ada@@example.org",
        ".ada@example.org",
        "ada@example.org\x00",
        "a" * 65 + "@example.org",
        "a@" + "b" * 63 + "." + "c" * 63 + "." + "d" * 63 + "." + "e" * 60 + ".org",
        None,
        7,
        ["ada@example.org"],
    ],
)
async def test_an_invalid_email_address_is_refused(api: Client, email: object) -> None:
    body = problem(await api.post(f"{API}/users/", json=someone(email=email)), 400, "invalid")
    assert [one["field"] for one in body["errors"]] == ["email"]


@pytest.mark.parametrize("local", ["ada+chat", "a", "o'brien", "ada.b.c", "jürgen", "a" * 64])
async def test_unusual_addresses_are_accepted(api: Client, local: str) -> None:
    email = f"{local}@{uuid7()}.example.museum"
    assert (await register(api, email=email))["email"] == email


@pytest.mark.parametrize("field", ["first_name", "last_name"])
@pytest.mark.parametrize("name", ["", "   ", "\u3000", "x" * 101, "a\x00b", "a\nb", None, 7])
async def test_an_invalid_name_is_refused(api: Client, field: str, name: object) -> None:
    body = problem(await api.post(f"{API}/users/", json=someone(**{field: name})), 400, "invalid")
    assert [one["field"] for one in body["errors"]] == [field]


@pytest.mark.parametrize("name", ["x" * 100, "Ada Augusta", "李", "<script>alert(1)</script>", "🐎", "O'Brien", " x "])
async def test_an_unusual_name_is_kept_unchanged(api: Client, name: str) -> None:
    assert (await register(api, first_name="Ada", last_name=name))["last_name"] == name


@pytest.mark.parametrize("extra", ["id", "is_operator", "is_active", "is_staff", "password_hash", "created_at"])
async def test_privileged_fields_are_refused(api: Client, extra: str) -> None:
    body = problem(await api.post(f"{API}/users/", json=someone(**{extra: True})), 400, "invalid")
    assert body["errors"] == [{"field": extra, "message": "Must be left out: there is no such field."}]


@pytest.mark.parametrize("password", ["short 1", "x" * 129, "password1", "PASSWORD1", None, 12345678])
async def test_a_bad_password_is_refused(api: Client, password: object) -> None:
    answer = await api.post(f"{API}/users/", json=someone(password=password))
    assert answer.status_code == 400
    assert [one["field"] for one in answer.json()["errors"]] == ["password"]


async def test_a_password_of_any_characters_logs_in(api: Client) -> None:
    for password in ("\x00 nul and \U0001f40e", "x" * 128, '"quoted" \\ slashed'):
        account = await register(api, password=password)
        await log_in(api, account["email"], password)


async def test_a_user_reads_their_own_profile(api: Client) -> None:
    ada, grace = await join(api, "Ada"), await join(api, "Grace")
    for person, name in ((ada, "Ada"), (grace, "Grace")):
        profile = (await api.get(f"{API}/me/", headers=person.headers)).json()
        assert (profile["id"], profile["email"], profile["first_name"]) == (person.id, person.email, name)


async def test_patch_changes_the_given_fields_and_put_requires_both(api: Client) -> None:
    ada = await join(api)
    patched = await api.patch(f"{API}/me/", json={"last_name": "King"}, headers=ada.headers)
    assert (patched.json()["first_name"], patched.json()["last_name"]) == ("Ada", "King")
    unchanged = await api.patch(f"{API}/me/", json={}, headers=ada.headers)
    assert unchanged.json() == patched.json()
    body = problem(await api.put(f"{API}/me/", json={"first_name": "Augusta"}, headers=ada.headers), 400, "invalid")
    assert body["errors"] == [{"field": "last_name", "message": "Must be given."}]
    both = {"first_name": "Augusta", "last_name": "Byron"}
    assert (await api.put(f"{API}/me/", json=both, headers=ada.headers)).json().items() >= both.items()


@pytest.mark.parametrize(
    "change", [{"first_name": None}, {"first_name": " "}, {"email": "x@example.org"}, {"id": str(uuid7())}, [], "Ada"]
)
async def test_a_profile_refuses_an_invalid_change(api: Client, change: object) -> None:
    ada = await join(api)
    problem(await api.patch(f"{API}/me/", json=change, headers=ada.headers), 400, "invalid")
    assert (await api.get(f"{API}/me/", headers=ada.headers)).json()["first_name"] == "Ada"
