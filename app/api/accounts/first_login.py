"""The link that `chat up` prints: it logs in the first operator of a fresh chat, once."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Controller, Response, post
from litestar.background_tasks import BackgroundTask
from litestar.params import JSONBody

from app.api.dependencies import Development, Device, Passwords, Tokens, Tx
from app.api.middleware.authentication import PUBLIC
from app.api.responses import as_json
from app.domain.welcome import first_operator


class FirstToken(msgspec.Struct, forbid_unknown_fields=True):
    token: Annotated[str, msgspec.Meta(max_length=200)]


class FirstLoginController(Controller):
    """Hidden from the OpenAPI document, which describes the API of every chat. docs/operations.md describes it."""

    include_in_schema = False

    @post("/first-login", status_code=200, opt=PUBLIC)
    async def log_in(
        self,
        data: JSONBody[FirstToken],
        device: Device,
        tx: Tx,
        passwords: Passwords,
        tokens: Tokens,
        development: Development,
    ) -> Response[bytes]:
        begun = await first_operator.log_in(
            tx, development.first_link, data.token, device=device, passwords=passwords, tokens=tokens
        )
        response = as_json(begun.logged_in)
        # After the response, and so after COMMIT: the guide greets in a conversation that exists.
        response.background = BackgroundTask(development.greet, begun.welcome)
        return response
