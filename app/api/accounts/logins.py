"""Logins: log in, refresh, verify, end; the caller's logins; socket tickets."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Controller, Response, delete, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody

from app.api.accounts.profile import Email, Password
from app.api.dependencies import Device, PasswordGuesses, Passwords, Quotas, SecondFactors, Tokens, Tx
from app.api.errors.problems import documented, settled
from app.api.middleware.authentication import PUBLIC
from app.api.pagination import Cursor, Limit
from app.api.request import ChatRequest
from app.domain.auth import logins, refresh, socket_tickets
from app.domain.auth.logins import LoggedIn
from app.domain.auth.schemas import LoginPage, Ticket
from app.domain.auth.tokens import TokenPair
from app.domain.error_catalogue import (
    invalid_code,
    invalid_credentials,
    invalid_cursor,
    invalid_token,
    login_not_found,
    not_activated,
    second_factor_required,
    suspended,
    token_reused,
)

Token = Annotated[str, msgspec.Meta(max_length=2_048, examples=["eyJhbGciOiJIUzI1NiJ9.eyJ0eXBlIjoi4oCmIn0.c2lnbmVk"])]


class Credentials(msgspec.Struct, forbid_unknown_fields=True):
    email: Email
    password: Password
    code: Annotated[
        str | None,
        msgspec.Meta(
            description="A code from the authenticator app, or a recovery code, if the account has a second factor."
        ),
    ] = None
    mailed_code: Annotated[
        Annotated[str, msgspec.Meta(max_length=64)] | None,
        msgspec.Meta(
            description="The code from the mail that a correct password triggers after too many wrong ones; see 429.",
            examples=["k3mz-q5xw-7b2n-tfya"],
        ),
    ] = None


class RefreshToken(msgspec.Struct, forbid_unknown_fields=True):
    refresh: Token


class AnyToken(msgspec.Struct, forbid_unknown_fields=True):
    token: Token


class Valid(msgspec.Struct, frozen=True):
    """An empty object: the token is valid."""


class LoginController(Controller):
    """Logins and their tokens."""

    tags = ("Logins",)

    @post(
        "/login",
        status_code=200,
        opt=PUBLIC,
        operation_id="logIn",
        summary="Log in",
        description=(
            "The response is the same for an unknown e-mail and a wrong password; 403 requires the correct password. "
            "After 10 wrong passwords for an account in 5 minutes from one network (429, policy `guesses`), or 100 in "
            "an hour from anywhere (`guesses_anywhere`), every attempt is 429, even with the correct password. With "
            "the "
            "correct one, a code is mailed to the account's address: repeat the request with it as `mailed_code`. From "
            "a network that the account has logged in from, the second policy requires no code."
        ),
        responses={
            200: ResponseSpec(LoggedIn, description="The tokens of a new login."),
            **documented(
                invalid_credentials,
                second_factor_required,
                invalid_code,
                not_activated,
                suspended,
            ),
        },
    )
    async def log_in(
        self,
        data: JSONBody[Credentials],
        device: Device,
        guesses: PasswordGuesses,
        tx: Tx,
        passwords: Passwords,
        second_factors: SecondFactors,
        tokens: Tokens,
        quotas: Quotas,
    ) -> Response[bytes]:
        log_in = partial(
            logins.log_in,
            tx,
            email=data.email,
            password=data.password,
            code=data.code,
            mailed_code=data.mailed_code,
            device=device,
            passwords=passwords,
            second_factors=second_factors,
            quotas=quotas,
            tokens=tokens,
        )
        return settled(await guesses.at_login(data.email, device.address, lambda slowed: log_in(slowed=slowed)))

    @post(
        "/refresh",
        status_code=200,
        opt=PUBLIC,
        operation_id="refreshTokens",
        summary="Refresh the tokens",
        description=(
            "Uses up the refresh token. A repeat within 10 s returns the same pair; "
            "any later use of the same token ends the login."
        ),
        responses={
            200: ResponseSpec(TokenPair, description="The next pair of tokens."),
            **documented(invalid_token, token_reused),
        },
    )
    async def refresh(self, data: JSONBody[RefreshToken], tx: Tx, tokens: Tokens) -> Response[bytes]:
        return settled(await refresh.refresh(tx, data.refresh, tokens))

    @post(
        "/verify",
        status_code=200,
        opt=PUBLIC,
        operation_id="verifyToken",
        summary="Verify a token",
        description="Accepts an access or a refresh token.",
        responses=documented(invalid_token),
    )
    async def verify(self, data: JSONBody[AnyToken], tx: Tx, tokens: Tokens) -> Valid:
        await refresh.verify(tx, data.token, tokens)
        return Valid()

    @post(
        "/logout",
        status_code=204,
        operation_id="logOut",
        summary="Log out: end this login, its tokens and its sockets",
        responses=documented(),
    )
    async def log_out(self, request: ChatRequest, tx: Tx) -> None:
        await logins.log_out(tx, request.caller)

    @get(
        "/sessions",
        operation_id="listLogins",
        summary="List my logins, newest first",
        responses=documented(invalid_cursor),
    )
    async def list_logins(
        self,
        request: ChatRequest,
        tx: Tx,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> LoginPage:
        return await logins.listing(tx, request.caller, limit=limit, cursor=cursor)

    @delete(
        "/sessions/{login_id:uuid}",
        operation_id="endLogin",
        summary="End one of my logins",
        responses=documented(login_not_found),
    )
    async def end_login(self, login_id: FromPath[UUID], request: ChatRequest, tx: Tx) -> None:
        await logins.end_login(tx, request.caller, login_id)

    @post(
        "/ws-ticket",
        status_code=200,
        operation_id="createSocketTicket",
        summary="Get a ticket for a WebSocket",
        description="Valid once, for 30 seconds. For browsers, which cannot set a header on a WebSocket.",
        responses=documented(),
    )
    async def create_ticket(self, request: ChatRequest, tx: Tx) -> Ticket:
        return await socket_tickets.issue(tx, request.caller)
