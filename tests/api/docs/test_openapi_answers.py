"""A running chat answers what its document says: no 5xx, no undocumented status, content type, header or field.

schemathesis makes good and bad requests of each operation, half of them about a conversation that exists.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CheckFunction
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi import checks

from app.api.docs.examples import rest
from app.domain.orm import uuid7
from tests.support.operators import promote
from tests.support.processes import Api
from tests.support.published import Json

EXAMPLES = 6
"""Of each kind, for each operation."""

PASSWORD = "correct horse battery staple"
HELD: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
LAST = ("leaveConversation", "deleteMessage", "deleteConversation", "endLogin", "logOut")
"""What they end the others need, so they come last, in this order."""

IN_ORDER = {"logIn": 1, "makeAdmin": 1, "removeAdmin": 2, "removeMember": 3, "changePassword": 4, "closeMyAccount": 5}
"""What an example does to what another one did."""

BY_MAIL_OR_PHONE = {
    "activate",
    "checkInvite",
    "chooseNewPassword",
    "confirmEmail",
    "confirmSecondFactor",
    "disableSecondFactor",
    "renewRecoveryCodes",
    "unsubscribe",
    "unsubscribeByOneClick",
}
"""Their examples hold what only a mail, a link or an authenticator knows: refused, and as documented."""

AnyCase = Case[Any]
AnyOperation = APIOperation[Any, Any, Any, Any]


class Known(msgspec.Struct, frozen=True):
    """What exists. `ids` by the name of the path parameter that finds it; `real` by what an example calls it."""

    headers: dict[str, str]
    ids: dict[str, str]
    real: dict[str, str]


def make_known(url: str, database_url: str) -> Known:
    """Ada, an operator, with a login and, alone in it, a conversation of twelve messages, the first an image."""
    with httpx.Client(base_url=f"{url}/api/v1", timeout=10, trust_env=False) as client:

        def post(path: str, **body: Any) -> Json:
            answer = client.post(path, json=body)
            assert answer.status_code < 300, answer.text
            return dict(answer.json())

        def register(first_name: str) -> Json:
            address = f"{uuid7()}@example.org"
            return post("/users/", email=address, password=PASSWORD, first_name=first_name, last_name="Tester")

        ada, grace, mallory = register("Ada"), register("Grace"), register("Mallory")
        promote(database_url, ada["email"])
        login = post("/login/", email=ada["email"], password=PASSWORD)
        client.headers["Authorization"] = f"Bearer {login['access']}"
        conversation = post("/conversations/", name="Engines")["id"]
        direct = post("/conversations/", kind="direct", user=grace["id"])["id"]
        log = f"/conversations/{conversation}/messages/"
        image = post(log, message_type="image", media_url="https://example.org/moth.jpg")["id"]
        texts = [post(log, message_type="text", text=str(seq))["id"] for seq in range(2, 13)]
        (session,) = [one["id"] for one in client.get("/sessions/").json()["items"]]
        return Known(
            {"Authorization": client.headers["Authorization"]},
            {
                "conversation_id": conversation,
                "message_id": texts[0],
                "login_id": session,
                "image_id": image,
                "direct_id": direct,
                "user_id": mallory["id"],
                "policy": "renames",
            },
            {
                rest.TOKEN: login["refresh"],
                str(rest.GRACE.id): grace["id"],
                str(rest.MESSAGE): texts[-1],
                "ada@example.org": f"{uuid7()}@example.org",
            },
        )


def strict(document: Json) -> Json:
    """The document, in which an answer may have no field but those it names."""
    closed = copy.deepcopy(document)
    for schema in closed["components"]["schemas"].values():
        if schema.get("type") == "object":
            schema.setdefault("additionalProperties", False)
    return closed


def hold(operation: AnyOperation, mode: GenerationMode, ask: Callable[[AnyCase, bool], None]) -> None:
    """Try one operation. Raises what the checks raise."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), about_known=st.booleans())
    def tried(case: AnyCase, about_known: bool) -> None:
        ask(case, about_known)

    tried()


def test_every_example_of_a_body_is_accepted(document: Json, api: Api, database_url: str) -> None:
    known = make_known(api.url, database_url)
    schema = schemathesis.openapi.from_dict(strict(document))
    tried = 0
    with requests.Session() as session:
        session.trust_env = False
        for operation in sorted(ordered(schema), key=lambda one: IN_ORDER.get(name_of(one), 0)):
            name = name_of(operation)
            for called, example in rest.BODIES.get(name, {}).items():
                text = msgspec.json.encode(example).decode()
                for there, here in known.real.items():
                    text = text.replace(f'"{there}"', f'"{here}"')
                ids = known.ids | ({"message_id": known.ids["image_id"]} if called == "image" else {})
                ids |= {"conversation_id": known.ids["direct_id"]} if name == "hideConversation" else {}
                case = operation.Case(
                    path_parameters=_of(ids, {one.name: None for one in operation.path_parameters}),
                    body=msgspec.json.decode(text),
                    media_type="application/json",
                )
                response = case.call(base_url=api.url, session=session, headers=known.headers, timeout=10)
                known_here = response.status_code < 300
                assert known_here is (name not in BY_MAIL_OR_PHONE), (name, called, response.text)
                case.validate_response(response, checks=HELD)
                tried += 1
    assert tried > 20


def test_a_running_chat_answers_as_documented(document: Json, api: Api, database_url: str) -> None:
    generation = GenerationConfig(with_security_parameters=False)
    config = SchemathesisConfig(projects=ProjectsConfig(default=ProjectConfig(generation=generation)))
    schema = schemathesis.openapi.from_dict(strict(document), config=config)
    known = make_known(api.url, database_url)
    answered: dict[str, set[int]] = {}
    wrong: list[str] = []
    with requests.Session() as session:
        session.trust_env = False

        def ask(case: AnyCase, about_known: bool) -> None:
            name = name_of(case.operation)
            if about_known:
                case.path_parameters = {**case.path_parameters, **_of(known.ids, case.path_parameters)}
            response = case.call(base_url=api.url, session=session, headers=known.headers, timeout=10)
            answered.setdefault(name, set()).add(response.status_code)
            case.validate_response(response, checks=HELD)

        for operation in ordered(schema):
            for mode in modes_of(operation):
                try:
                    hold(operation, mode, ask)
                except Exception as error:  # noqa: BLE001 - report every operation that fails, not only the first
                    wrong.append(f"{operation.label} ({mode.value}): {_told(error)}")
    assert not wrong, "\n\n".join(wrong)
    # What was tried was more than one way to be refused.
    good = {name for name, statuses in answered.items() if min(statuses) < 300}
    assert {"getConversation", "listMessages", "listChanges", "createConversation", "getMe", "about"} <= good
    assert {400, 404} <= answered["sendMessage"]


def ordered(schema: BaseSchema) -> list[AnyOperation]:
    found = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        found.append(result.ok())
    return sorted(found, key=lambda one: LAST.index(name_of(one)) if name_of(one) in LAST else -1)


def name_of(operation: AnyOperation) -> str:
    return str(operation.definition.raw["operationId"])


def modes_of(operation: AnyOperation) -> list[GenerationMode]:
    """Nothing can be wrong with a request that has neither parameters nor a body."""
    raw = operation.definition.raw
    return list(GenerationMode) if "parameters" in raw or "requestBody" in raw else [GenerationMode.POSITIVE]


def _of(ids: dict[str, str], named: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in ids.items() if name in named}


def _told(error: BaseException) -> str:
    inner = getattr(error, "exceptions", None)
    return "\n".join(_told(one) for one in inner) if inner else f"{type(error).__name__}: {error}"
