"""Decodes bodies strictly into the handler's type: strings are not coerced to numbers or booleans, nor the reverse.

Litestar decodes a body into plain objects first and coerces those loosely ("5" to 5, "true" to true).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import Request
from litestar.exceptions import ClientException, InternalServerException, SerializationException, ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.types import Empty

_PLACE: Final = " - at `$"


class StrictRequest(Request[Any, Any, Any]):
    """The request that supplies the handlers' `data`."""

    async def body(self) -> bytes:
        """Raises ClientException if the client disconnects before the body ends; no client reads the response."""
        try:
            return await super().body()
        except InternalServerException as error:
            raise ClientException("The body did not come to its end.") from error

    async def json(self) -> Any:
        """Returns the body as the type of the handler's `data`.

        Raises:
            SerializationException: the body is not JSON.
            ValidationException: the JSON does not match the type; `extra` says where.
        """
        if self._json is Empty:
            try:
                self._json = msgspec.json.decode(await self.body(), type=_type_of(self.route_handler))
            except msgspec.ValidationError as error:
                message, place = _placed(str(error))
                raise ValidationException(extra=[{"key": place, "message": message}]) from error
            except msgspec.DecodeError as error:
                raise SerializationException(str(error)) from error
        return self._json


def _type_of(handler: BaseRouteHandler) -> Any:
    field = handler.parsed_data_field
    return Any if field is None else field.annotation


def _placed(message: str) -> tuple[str, str]:
    """Returns (what is wrong, where). The message quotes the client's field names: a regular expression tried at each
    of them would take a minute for one body, so this searches once, from the end."""
    what, found, place = message.rpartition(_PLACE)
    return (what, place[:-1].removeprefix(".")) if found and place.endswith("`") else (message, "")
