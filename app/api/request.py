"""The request of every route: its caller, its pending rate limit, and a body decoded strictly into the handler's type.

Strings are not coerced to numbers or booleans, nor the reverse. Litestar decodes a body into plain objects first and
coerces those loosely ("5" to 5, "true" to true).

Handlers read the caller from the request: a dependency for it would cost a task group per request.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.exceptions import ClientException, InternalServerException, SerializationException, ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.types import Empty

from app.api.errors.body_faults import faults_of
from app.api.errors.fields import FieldError
from app.domain.users.caller import Caller

_ADMISSION: Final = "admission"
_PLACE: Final = " - at `$"


class ChatRequest(Request[Any, Any, Any]):
    """`app.api.middleware.authentication` sets `caller` and `admission`; reading one that it did not set is a
    KeyError."""

    @property
    def caller(self) -> Caller:
        """The authenticated caller; public routes have none."""
        caller: Caller = self.scope["user"]
        return caller

    @caller.setter
    def caller(self, caller: Caller) -> None:
        self.scope["user"] = caller  # the request log and the limits of anonymous callers read the same key

    @property
    def admission(self) -> Awaitable[None]:
        """The request's pending rate-limit decision, on routes that await it themselves; awaiting it raises
        Throttled."""
        admission: Awaitable[None] = self.scope["state"][_ADMISSION]
        return admission

    @admission.setter
    def admission(self, admission: Awaitable[None]) -> None:
        self.scope["state"][_ADMISSION] = admission

    async def body(self) -> bytes:
        """Raises ClientException if the client disconnects before the body ends; no client reads the response."""
        try:
            return await super().body()
        except InternalServerException as error:
            raise ClientException("The request body ended early.") from error

    async def json(self) -> Any:
        """Returns the body as the type of the handler's `data`.

        Raises:
            SerializationException: the body is not JSON.
            ValidationException: the JSON does not match the type; `extra` says where and why, for all fields.
        """
        if self._json is Empty:
            body, kind = await self.body(), _type_of(self.route_handler)
            try:
                self._json = msgspec.json.decode(body, type=kind)
            except msgspec.ValidationError as error:
                raise ValidationException(extra=_all_faults(body, kind) or _first_fault(error)) from error
            except msgspec.DecodeError as error:
                raise SerializationException(str(error)) from error
        return self._json


def _type_of(handler: BaseRouteHandler) -> Any:
    field = handler.parsed_data_field
    return Any if field is None else field.annotation


def _all_faults(body: bytes, kind: Any) -> list[FieldError]:
    """Returns no faults for a body that is only valid JSON up to its first fault, or is nested too deeply."""
    try:
        return faults_of(msgspec.json.decode(body), kind)
    except (msgspec.DecodeError, RecursionError):
        return []


def _first_fault(error: msgspec.ValidationError) -> list[dict[str, str]]:
    message, place = _placed(str(error))
    return [{"key": place, "message": message}]


def _placed(message: str) -> tuple[str, str]:
    """Returns (what is wrong, where). The message quotes the client's field names: a regular expression tried at each
    of them would take a minute for one body, so this searches once, from the end."""
    what, found, place = message.rpartition(_PLACE)
    return (what, place[:-1].removeprefix(".")) if found and place.endswith("`") else (message, "")
