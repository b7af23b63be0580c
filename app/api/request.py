"""Bodies are what they say: read straight into the handler's type, where a number is no text and a text no truth.

Litestar reads a body into plain objects first and converts those loosely ("5" for 5, "true" for true).
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
    """What handlers get for `data`."""

    async def body(self) -> bytes:
        """Raises ClientException when the client hangs up before its end: nobody reads the answer."""
        try:
            return await super().body()
        except InternalServerException as error:
            raise ClientException("The body did not come to its end.") from error

    async def json(self) -> Any:
        """The body as the type that the handler's `data` has.

        Raises:
            SerializationException: it is no JSON.
            ValidationException: it is another JSON; `extra` says where.
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
    """(what is wrong, where). The message quotes the client's own field names, so a pattern that is tried at each of
    them would take a minute for one body; this looks once, from the end."""
    what, found, place = message.rpartition(_PLACE)
    return (what, place[:-1].removeprefix(".")) if found and place.endswith("`") else (message, "")
