"""The published OpenAPI document: Litestar derives it from the routes, and this module completes it.

Schemas come from msgspec, which also validates and encodes. Errors common to all routes (401 for callers, 429, 503,
those of an invalid body) are added here once, so that a new route need not declare them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from app.api.docs.examples.rest import ANSWERS, BODIES, PARAMETERS, SPECIAL
from app.api.docs.json_schemas import PREFIX, schemas_of
from app.api.errors import codes
from app.api.errors.fields import FieldError
from app.api.errors.problems import MEDIA_TYPE, Problem, problem_of
from app.api.middleware.anonymous_limits import API, FREE
from app.domain.conversations import schemas as conversations_schemas
from app.domain.messages import schemas as messages_schemas

Json = dict[str, Any]

CHANGED: Final = (messages_schemas.Message, conversations_schemas.Member, conversations_schemas.ConversationFacts)
TEXT: Final[Json] = {"schema": {"type": "string"}}
WAIT: Final[Json] = {
    "description": "Seconds to wait before a retry.",
    "schema": {"type": "string", "pattern": "^[0-9]+$"},
}
HEADERS: Final[Mapping[str, Json]] = {
    "401": {"WWW-Authenticate": TEXT},
    "429": {
        "Retry-After": WAIT,
        "RateLimit": {"description": "Remaining quota (r) of the policy, and seconds until it resets (t).", **TEXT},
        "RateLimit-Policy": {"description": "The policy: its quota (q) per window of w seconds.", **TEXT},
    },
    "503": {"Retry-After": WAIT},
}
UUID: Final[Json] = {"type": "string", "format": "uuid"}
NULL: Final[Json] = {"type": "null"}
NAME: Final[Json] = {"type": "string", "pattern": "^[a-z_]{1,32}$"}
REPLAYED: Final[Json] = {"Idempotency-Replayed": {"schema": {"const": "true"}}}


def described(app: Litestar) -> Json:
    """Returns the document of `app` as JSON."""
    document = app.openapi_schema.to_schema()
    handlers = {handler.operation_id: handler for handler in _handlers(app)}
    document["components"]["schemas"] = _schemas(handlers.values())
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(operation, path, method, handlers[operation["operationId"]])
    return document


def _handlers(app: Litestar) -> Iterator[HTTPRouteHandler]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            yield from (one for one in route.route_handlers if one.resolve_include_in_schema())


def _schemas(handlers: Iterable[HTTPRouteHandler]) -> Json:
    kinds: set[type[msgspec.Struct]] = {Problem, *CHANGED}
    for handler in handlers:
        kinds.update(_structs_of(handler))
    schemas = schemas_of(kinds)
    schemas["Change"]["properties"]["data"]["anyOf"] = [{"$ref": PREFIX + kind.__name__} for kind in CHANGED]
    return schemas


def _structs_of(handler: HTTPRouteHandler) -> Iterator[type[msgspec.Struct]]:
    """Yields the structs of the handler's body and responses."""
    signature = handler.parsed_fn_signature
    fields = [signature.return_type, *signature.return_type.inner_types]
    fields += [signature.parameters["data"]] if "data" in signature.parameters else []
    responses = [one.data_container for one in (handler.responses or {}).values()]
    for kind in [*(field.annotation for field in fields), *responses]:
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield kind


def _complete(operation: Json, path: str, method: str, handler: HTTPRouteHandler) -> None:
    of_the_api = path.startswith(API)
    name, responses = operation["operationId"], operation["responses"]
    is_public = bool(handler.opt.get("public"))
    operation.pop("deprecated", None)
    if is_public:
        operation["security"] = []
    for parameter in operation.get("parameters", ()):
        _complete_parameter(parameter)
    if body := operation.get("requestBody"):
        body["content"]["application/json"]["examples"] = _examples(BODIES.get(name, {}))
    if "application/json" in responses.get("400", {}).get("content", {}):
        del responses["400"]  # Litestar's own error format, which the API does not use
    for error in _common_errors(operation, method, handler) if of_the_api else _errors_of_machines(path):
        _add_problem(responses, error, _first_field(operation))
    for status, response in responses.items():
        _complete_answer(response, status, name)
        if status in HEADERS and MEDIA_TYPE in response["content"]:
            response["headers"] = dict(HEADERS[status])
    if name == "sendMessage":
        responses["200"]["headers"] = dict(REPLAYED)
    operation["responses"] = dict(sorted(responses.items()))


def _common_errors(operation: Json, method: str, handler: HTTPRouteHandler) -> Iterator[codes.HttpError]:
    """Yields the errors that do not depend on what the operation does."""
    if "requestBody" in operation:
        yield from codes.OF_BODIES
    elif any(parameter["in"] != "path" for parameter in operation.get("parameters", ())):
        yield from codes.OF_PARAMETERS
    yield codes.UNKNOWN_HOST
    yield from () if handler.opt.get("public") else codes.OF_CALLERS
    yield from codes.OF_OPERATORS if handler.opt.get("operators") else ()
    yield from codes.OF_ALL
    yield from codes.OF_WRITES if method != "get" else ()


def _errors_of_machines(path: str) -> Iterator[codes.HttpError]:
    """Yields the errors of health checks and metrics, which count as anonymous requests."""
    yield from codes.OF_ALL_PATHS
    yield from () if path in FREE else (codes.THROTTLED,)


def _first_field(operation: Json) -> str:
    """Returns a field for the example of an invalid request."""
    for body in BODIES.get(operation["operationId"], {}).values():
        return str(next(iter(body)))
    return "limit"


def _add_problem(responses: Json, error: codes.HttpError, field: str) -> None:
    field_errors = [FieldError(field, "Expected text, got null.")] if error.code == "invalid" else []
    problem = problem_of(*error, field_errors)
    response = responses.setdefault(
        str(error.status),
        {"description": "", "content": {MEDIA_TYPE: {"schema": {"$ref": PREFIX + Problem.__name__}, "examples": {}}}},
    )
    response["content"][MEDIA_TYPE]["examples"].setdefault(error.code, {"value": msgspec.to_builtins(problem)})


def _complete_parameter(parameter: Json) -> None:
    for noise in ("deprecated", "allowEmptyValue", "allowReserved"):
        if not parameter.get(noise):
            parameter.pop(noise, None)
    if not parameter["required"]:
        _remove_null(parameter["schema"])
    if parameter["in"] == "path":
        parameter["schema"] = UUID if parameter["name"].endswith("_id") else NAME
    description, example = PARAMETERS.get(parameter["name"], ("", None))
    parameter.setdefault("description", description)
    if example is not None:
        parameter["example"] = example


def _remove_null(schema: Json) -> None:
    """Removes null from an optional parameter's schema: a client omits the parameter, it cannot send null."""
    for alternative in schema.pop("oneOf", ()):
        schema |= alternative if alternative != NULL else {}
    if None in schema.get("enum", ()):
        schema["enum"].remove(None)
        (schema["type"],) = (one for one in schema["type"] if one != "null")


def _complete_answer(response: Json, status: str, name: str) -> None:
    phrase = HTTPStatus(int(status))
    content = response.get("content", {})
    if not response.get("headers"):
        response.pop("headers", None)
    if response["description"] == phrase.description:
        response["description"] = "Done." if status == "204" else phrase.phrase
    if problem := content.get(MEDIA_TYPE):
        for example in problem["examples"].values():
            example.pop("id", None)  # Litestar's own key, unknown to OpenAPI
        response["description"] = f"{phrase.phrase}: " + ", ".join(f"`{code}`" for code in problem["examples"])
    if answer := content.get("application/json"):
        schema = answer["schema"].get("$ref", "").removeprefix(PREFIX)
        example = SPECIAL.get((name, status)) or ANSWERS.get(schema)
        answer["examples"] = _examples({"example": msgspec.json.decode(msgspec.json.encode(example))})


def _examples(values: Mapping[str, Any]) -> Json:
    return {name: {"value": value} for name, value in values.items()}
