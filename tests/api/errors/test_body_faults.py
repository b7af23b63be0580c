"""All faults of a body are reported at once, of the parser and of the domain, each as what the field must be."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from app.api.errors.body_faults import MOST_FAULTS, faults_of
from app.api.errors.fields import FieldError, sentence_of
from app.api.messages import MessageToSend
from app.api.read_cursors import Marks
from app.domain import error_catalogue
from app.domain.error_catalogue import InvalidEntry
from tests.support.web import API, Client, join, problem

APP = Path(error_catalogue.__file__).parents[1]


def messages_of(faults: list[FieldError]) -> dict[str, str]:
    return {fault.field: fault.message for fault in faults}


def reported(answered: Any, code: str = "invalid") -> dict[str, str]:
    return {fault["field"]: fault["message"] for fault in problem(answered, 400, code)["errors"]}


async def test_every_fault_of_a_registration_is_reported_at_once(api: Client) -> None:
    """The parser finds the empty names, the domain the rest."""
    body = {"email": "nope", "password": "123456789", "first_name": "", "last_name": ""}
    assert reported(await api.post(f"{API}/users/", json=body)) == {
        "email": "Must be an e-mail address.",
        "password": "Must not be among the most common passwords.",
        "first_name": "Must not be empty.",
        "last_name": "Must not be empty.",
    }


async def test_faults_that_only_the_domain_finds_are_reported_at_once(api: Client) -> None:
    body = {"email": "nope", "password": "short", "first_name": " ", "last_name": "a\nb"}
    assert reported(await api.post(f"{API}/users/", json=body)) == {
        "email": "Must be an e-mail address.",
        "password": "Must have 8 to 128 characters.",
        "first_name": "Must not be empty or blank.",
        "last_name": "Must not contain a line break or another control character.",
    }


async def test_the_code_is_that_of_the_first_fault(api: Client) -> None:
    """A client of version 1 that knows `common_password` finds it where it was."""
    body = {"email": "a@example.org", "password": "123456789", "first_name": "Ada", "last_name": "L"}
    assert list(reported(await api.post(f"{API}/users/", json=body), "common_password")) == ["password"]


async def test_every_fault_of_a_message_is_reported_at_once_over_rest(api: Client) -> None:
    ada = await join(api)
    room = (await api.post(f"{API}/conversations/", json={"name": "Engine"}, headers=ada.headers)).json()["id"]
    url = f"{API}/conversations/{room}/messages/"
    body = {"message_type": "image", "media_url": "http://x.example", "client_id": "", "reply_to": 0}
    assert reported(await api.post(url, json=body, headers=ada.headers), "invalid_message") == {
        "media_url": "Must begin with https:// and name a host.",
        "client_id": "Must not be empty or blank.",
        "reply_to": "Must be the seq of a message of this conversation.",
    }
    body = {"message_type": "smoke", "client_id": "x" * 65, "reply_to": "1", "sent_by": "eve"}
    assert reported(await api.post(url, json=body, headers=ada.headers)) == {
        "sent_by": "Must be left out: there is no such field.",
        "message_type": "Must be one of text, image, audio, video.",
        "client_id": "Must have at most 64 characters.",
        "reply_to": "Must be a whole number or null, not text.",
    }


@pytest.mark.parametrize(
    ("body", "kind", "faults"),
    [
        ({}, MessageToSend, {"message_type": "Must be given."}),
        ([], MessageToSend, {"": "Must be an object, not a list."}),
        ({"data": 7}, Marks, {"data": "Must be a list, not a whole number."}),
        (
            {"data": [{"message": "x"}, {"message": None, "seen_at": "now"}, {}, 5]},
            Marks,
            {
                "data.0.message": "Must be an id (a UUID).",
                "data.1.message": "Must be an id, not null.",
                "data.1.seen_at": "Must be a time such as 2026-05-04T09:00:00Z.",
                "data.2.message": "Must be given.",
                "data.3": "Must be an object, not a whole number.",
            },
        ),
    ],
)
def test_faults_are_found_at_any_depth(body: Any, kind: Any, faults: dict[str, str]) -> None:
    assert messages_of(faults_of(body, kind)) == faults


def test_the_number_and_the_length_of_faults_are_bounded() -> None:
    body = {f"{number}{'x' * 1_000}": 1 for number in range(10_000)}
    faults = faults_of(body, MessageToSend)
    assert len(faults) == MOST_FAULTS
    assert max(len(fault.field) for fault in faults) == 200


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("Expected `str` of length >= 1", "Must not be empty."),
        ("Expected `str` of length >= 8", "Must have at least 8 characters."),
        ("Expected `array` of length <= 100", "Must have at most 100 items."),
        ("Expected `int` >= 1", "Must be at least 1."),
        ("Expected `int` <= 100", "Must be at most 100."),
        ("Expected `float` > 0.5", "Must be more than 0.5."),
        ("Expected `str`, got `int`", "Must be text, not a whole number."),
        ("Expected `bool | null`, got `str`", "Must be true or false or null, not text."),
        ("Invalid enum value 'smoke'", "Must be one of the documented values."),
        ("Something new in the parser", "Must have the documented form."),
    ],
)
def test_what_the_parser_says_becomes_what_the_field_must_be(message: str, sentence: str) -> None:
    assert sentence_of(message) == sentence


async def test_a_parameter_is_refused_in_the_same_words(api: Client) -> None:
    ada = await join(api)
    answered = await api.get(f"{API}/conversations/", params={"limit": "0"}, headers=ada.headers)
    assert reported(answered) == {"limit": "Must be at least 1."}
    answered = await api.get(f"{API}/users/", params={"limit": "many", "search": "ad"}, headers=ada.headers)
    assert reported(answered) == {"limit": "Must be a whole number, not text."}


async def test_an_unknown_parameter_is_ignored_and_an_unknown_field_is_refused(api: Client) -> None:
    """Proxies and monitors add parameters, and newer clients send theirs to older servers."""
    ada = await join(api)
    answered = await api.get(f"{API}/conversations/", params={"utm_source": "mail", "_": "1"}, headers=ada.headers)
    assert answered.status_code == 200
    answered = await api.patch(f"{API}/me/", json={"utm_source": "mail"}, headers=ada.headers)
    assert reported(answered) == {"utm_source": "Must be left out: there is no such field."}


def pairs(tree: ast.AST) -> list[str]:
    """The messages of the domain: second arguments of `field_error`, and of pairs passed to an `invalid…` entry."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "field_error" and len(node.args) == 2:
                found += texts(node.args[1])
            elif node.func.id.startswith(("invalid", "common_", "personal_")):
                found += [text for one in node.args if isinstance(one, ast.Tuple) for text in texts(one.elts[1])]
    return found


def texts(node: ast.expr) -> list[str]:
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=[first, *_]):
            return texts(first)
        case ast.IfExp(body=body, orelse=orelse):
            return texts(body) + texts(orelse)
    return []


def test_every_message_of_the_domain_says_what_a_field_must_be() -> None:
    files = [file for file in sorted(APP.rglob("*.py")) if file.name != "error_catalogue.py"]
    found = [text for file in files for text in pairs(ast.parse(file.read_text(encoding="utf-8")))]
    entries = [entry for entry in error_catalogue.CATALOGUE.values() if isinstance(entry, InvalidEntry)]
    found += [message for entry in entries for _, message in entry().errors]
    assert len(found) > 30
    assert [text for text in found if not text.startswith("Must ")] == []
