"""The document at /openapi.json describes each route completely."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from litestar import Litestar
from litestar.routes import HTTPRoute

from tests.support.published import Json

CONTRACT = """
GET / · POST /users · POST /login · POST /refresh · POST /verify · POST /logout · GET /sessions · DELETE /sessions/{id}
POST /reset-password · GET /me · PATCH /me · PUT /me · DELETE /me · POST /me/email · GET /users · POST /ws-ticket
POST /activate · POST /resend-activation · POST /forgot-password · POST /forgot-password-confirm
GET /conversations · POST /conversations · GET /conversations/discover
GET /conversations/{id} · PATCH /conversations/{id} · DELETE /conversations/{id} · GET /conversations/{id}/members
POST /conversations/{id}/join · POST /conversations/{id}/leave_conversation
POST /conversations/{id}/add_member · POST /conversations/{id}/remove_member
POST /conversations/{id}/make_admin · POST /conversations/{id}/remove_admin
PUT /conversations/{id}/read · POST /conversations/{id}/mark_message_read · GET /conversations/{id}/changes
POST /conversations/{id}/messages · GET /conversations/{id}/messages · GET /conversations/{id}/messages/{id}
PATCH /conversations/{id}/messages/{id} · PUT /conversations/{id}/messages/{id}
DELETE /conversations/{id}/messages/{id}
GET /notifications · POST /notifications/read · PUT /conversations/{id}/notifications
GET /conversations/{id}/messages/{id}/notifications
GET /ops/throttle/policies · PUT /ops/throttle/policies/{id} · DELETE /ops/throttle/policies/{id}
GET /ops/throttle/policies/{id}/users · PUT /ops/throttle/policies/{id}/users/{id}
DELETE /ops/throttle/policies/{id}/users/{id} · GET /ops/throttle/analytics · GET /ops/throttle/what-if
"""
BY_MAIL = {"activate", "resendActivation", "forgotPassword", "chooseNewPassword", "confirmEmail"}
BY_MAIL |= {"unsubscribe", "unsubscribeByOneClick"}
PUBLIC = {
    "about",
    "register",
    "getRegistration",
    "checkInvite",
    "logIn",
    "refreshTokens",
    "verifyToken",
    "livez",
    "readyz",
    "metrics",
} | BY_MAIL
WITHOUT_ERRORS = {"livez", "metrics"}
"""They take no login and check no permission, so they refuse nothing."""

PROBLEM = "application/problem+json"


class Operation(msgspec.Struct, frozen=True):
    path: str
    method: str
    received: Json

    @property
    def name(self) -> str:
        return str(self.received["operationId"])

    @property
    def answers(self) -> dict[str, Json]:
        return dict(self.received["responses"])


def operations(document: Json) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, received in methods.items():
            yield Operation(path, method, received)


@pytest.fixture(scope="session")
def every(document: Json) -> list[Operation]:
    return list(operations(document))


def validator(document: Json, schema: Json) -> Draft202012Validator:
    """Of a schema of the document, with what it refers to; fields that are not documented are wrong."""
    schemas = {
        name: {"additionalProperties": False, **one} if one.get("type") == "object" else one
        for name, one in document["components"]["schemas"].items()
    }
    whole = {"components": {"schemas": schemas}, **schema}
    return Draft202012Validator(whole, format_checker=FormatChecker())


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def test_every_route_of_the_contract_is_documented(every: list[Operation]) -> None:
    paths = [(one.method.upper(), re.sub(r"{\w+}", "{id}", one.path.removeprefix("/api/v1")) or "/") for one in every]
    received = {f"{method} {path}" for method, path in paths}
    wanted = {route.strip() for line in CONTRACT.strip().splitlines() for route in line.split("·")}
    assert wanted - received == set()
    assert {"GET /livez", "GET /readyz", "GET /metrics"} <= received


def test_every_operation_has_a_summary_a_tag_and_a_name_of_its_own(document: Json, every: list[Operation]) -> None:
    names = Counter(one.name for one in every)
    assert [name for name, count in names.items() if count > 1] == []
    assert [name for name in names if not re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", name)] == []
    tags = {tag["name"] for tag in document["tags"]}
    for one in every:
        assert one.received.get("summary"), one.name
        assert len(one.received["tags"]) == 1, one.name
        assert set(one.received["tags"]) <= tags, one.name
    assert tags == {one.received["tags"][0] for one in every}


def test_names_and_summaries_are_not_derived_from_the_handlers(app: Litestar) -> None:
    handlers = [one for route in app.routes if isinstance(route, HTTPRoute) for one in route.route_handlers]
    shown = [one for one in handlers if one.resolve_include_in_schema() and one.http_methods != {"OPTIONS"}]
    assert len(shown) > 30
    assert [str(one) for one in shown if not (one.summary and one.operation_id)] == []


def test_public_operations_need_no_token_and_all_others_do(document: Json, every: list[Operation]) -> None:
    assert {one.name for one in every if one.received.get("security") == []} == PUBLIC
    assert [one.name for one in every if one.received.get("security") not in (None, [])] == []
    assert document["security"] == [{"access": []}]
    for one in every:
        if one.name not in PUBLIC:
            assert {"not_authenticated", "invalid_token", "login_ended"} <= set(codes_of(one, "401")), one.name


def codes_of(one: Operation, status: str) -> dict[str, Json]:
    content: dict[str, Any] = one.answers.get(status, {}).get("content", {})
    return dict(content.get(PROBLEM, {}).get("examples", {}))


def test_every_error_is_a_problem_and_every_code_has_its_example(document: Json, every: list[Operation]) -> None:
    problem = validator(document, {"$ref": "#/components/schemas/Problem"})
    for one in every:
        refusals = {status: answer for status, answer in one.answers.items() if status >= "400"}
        assert refusals or one.name in WITHOUT_ERRORS, one.name
        for status, answer in refusals.items():
            if one.name == "readyz":
                continue  # answers machines, in one form
            assert list(answer["content"]) == [PROBLEM], (one.name, status)
            assert codes_of(one, status), (one.name, status)
            for code, example in codes_of(one, status).items():
                assert set(example) == {"value"}
                problem.validate(example["value"])
                assert (example["value"]["status"], example["value"]["code"]) == (int(status), code)
                assert f"`{code}`" in answer["description"]


def test_every_route_of_the_api_says_that_it_may_be_throttled_or_away(every: list[Operation]) -> None:
    for one in every:
        if one.path.startswith("/api/"):
            assert set(one.answers["429"]["headers"]) == {"Retry-After", "RateLimit", "RateLimit-Policy"}, one.name
            assert "Retry-After" in one.answers["503"]["headers"], one.name
            if one.method != "get":
                assert "outcome_unknown" in codes_of(one, "503"), one.name


def test_every_body_has_valid_examples_and_documented_refusals(document: Json, every: list[Operation]) -> None:
    for one in every:
        body = one.received.get("requestBody")
        assert bool(body) == (set(one.answers) >= {"413", "415"}), one.name
        if not body:
            continue
        assert body["required"], one.name
        assert list(body["content"]) == ["application/json"], one.name
        received = body["content"]["application/json"]
        assert received["examples"], one.name
        for example in received["examples"].values():
            validator(document, received["schema"]).validate(example["value"])
        assert {"invalid", "malformed"} <= set(codes_of(one, "400")), one.name


def test_every_success_has_a_valid_example_or_no_content(document: Json, every: list[Operation]) -> None:
    for one in every:
        good = {status: answer for status, answer in one.answers.items() if status < "300"}
        assert good, one.name
        for status, answer in good.items():
            assert answer["description"], one.name
            if status == "204":
                assert "content" not in answer, one.name
            elif one.name != "metrics":
                received = answer["content"]["application/json"]
                assert received["examples"], one.name
                for example in received["examples"].values():
                    validator(document, received["schema"]).validate(example["value"])


def test_every_parameter_is_described(every: list[Operation]) -> None:
    for one in every:
        named = set(re.findall(r"{(\w+)}", one.path))
        parameters = one.received.get("parameters", [])
        assert {two["name"] for two in parameters if two["in"] == "path"} == named, one.name
        for parameter in parameters:
            assert parameter["description"], (one.name, parameter["name"])
            assert "schema" in parameter


def test_schemas_are_valid_and_every_reference_resolves(document: Json) -> None:
    schemas = document["components"]["schemas"]
    assert document["openapi"].startswith("3.1")
    assert {ref.removeprefix("#/components/schemas/") for ref in references(document)} == set(schemas)
    for name, schema in schemas.items():
        Draft202012Validator.check_schema(schema)
        for field, received in schema.get("properties", {}).items():
            if field.endswith("_at") or field == "muted_until":
                assert "date-time" in str(received), (name, field)


def test_request_bodies_are_closed_lists_of_fields(document: Json, every: list[Operation]) -> None:
    for one in every:
        if body := one.received.get("requestBody"):
            name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert document["components"]["schemas"][name]["additionalProperties"] is False, name


def test_a_send_documents_created_and_replayed(every: list[Operation]) -> None:
    (send,) = [one for one in every if one.name == "sendMessage"]
    for status in ("200", "201"):
        assert send.answers[status]["content"]["application/json"]["schema"]["$ref"].endswith("/Message")
    assert "Idempotency-Replayed" in send.answers["200"]["headers"]
    assert "idempotency_mismatch" in codes_of(send, "422")
    assert [one["name"] for one in send.received["parameters"] if one["in"] == "header"] == ["Idempotency-Key"]


def test_a_change_carries_one_of_three_rows(document: Json) -> None:
    data = document["components"]["schemas"]["Change"]["properties"]["data"]
    assert [one["$ref"].rpartition("/")[2] for one in data["anyOf"]] == ["Message", "Member", "ConversationFacts"]


def test_no_password_token_hash_or_row_is_in_any_answer(document: Json) -> None:
    received = {
        field for schema in document["components"]["schemas"].values() for field in schema.get("properties", {})
    }
    assert received & {"password_hash", "digest", "is_operator", "generation", "direct_key", "revoked_at"} == set()
