"""The caller's second factor: enrol an authenticator, confirm it, renew its recovery codes, turn it off.

A stolen access token is not enough: enrolling requires the password, confirming a code, the other changes both.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Controller, delete, get, post
from litestar.params import JSONBody

from app.api.accounts.profile import CurrentPassword, Password
from app.api.dependencies import OwnGuess, Passwords, SecondFactors, Tx
from app.api.errors.problems import documented
from app.api.request import ChatRequest
from app.domain.auth.second_factors import Enrolment, RecoveryCodes, State
from app.domain.error_catalogue import (
    second_factor_not_begun,
    second_factor_off,
    second_factor_on,
    wrong_code,
    wrong_password,
)


class Code(msgspec.Struct, forbid_unknown_fields=True):
    code: Annotated[str, msgspec.Meta(max_length=64, examples=["492039"])]


class PasswordAndCode(msgspec.Struct, forbid_unknown_fields=True):
    current_password: Password
    code: Annotated[
        str,
        msgspec.Meta(
            max_length=64, description="A code from the authenticator app, or a recovery code.", examples=["492039"]
        ),
    ]


class SecondFactorController(Controller):
    path = "/me/second-factor"
    tags = ("Second factor",)

    @get("/", operation_id="getMySecondFactor", summary="Get the state of my second factor", responses=documented())
    async def read(
        self,
        request: ChatRequest,
        tx: Tx,
        second_factors: SecondFactors,
    ) -> State:
        return await second_factors.state(tx, request.caller)

    @post(
        "/",
        operation_id="enrolSecondFactor",
        summary="Set up an authenticator app",
        description="The second factor takes effect once it is confirmed with a code.",
        responses=documented(wrong_password, second_factor_on),
    )
    async def enrol(
        self,
        data: JSONBody[CurrentPassword],
        request: ChatRequest,
        own_guess: OwnGuess,
        tx: Tx,
        passwords: Passwords,
        second_factors: SecondFactors,
    ) -> Enrolment:
        async with own_guess:
            return await second_factors.enrol(tx, request.caller, data.current_password, passwords)

    @post(
        "/confirm",
        status_code=200,
        operation_id="confirmSecondFactor",
        summary="Confirm the authenticator app with a code",
        description=(
            "From then on, logging in requires a code; all other logins end. The recovery codes are shown only once."
        ),
        responses=documented(wrong_code, second_factor_not_begun, second_factor_on),
    )
    async def confirm(
        self,
        data: JSONBody[Code],
        request: ChatRequest,
        own_guess: OwnGuess,
        tx: Tx,
        second_factors: SecondFactors,
    ) -> RecoveryCodes:
        async with own_guess:
            return await second_factors.confirm(tx, request.caller, data.code)

    @delete(
        "/",
        operation_id="disableSecondFactor",
        summary="Turn the second factor off",
        responses=documented(wrong_password, wrong_code, second_factor_off),
    )
    async def disable(
        self,
        data: JSONBody[PasswordAndCode],
        request: ChatRequest,
        own_guess: OwnGuess,
        tx: Tx,
        passwords: Passwords,
        second_factors: SecondFactors,
    ) -> None:
        async with own_guess:
            await second_factors.disable(
                tx, request.caller, current_password=data.current_password, code=data.code, passwords=passwords
            )

    @post(
        "/recovery-codes",
        operation_id="renewRecoveryCodes",
        summary="Replace the recovery codes",
        description="The previous codes stop working. The ten new ones are shown only once.",
        responses=documented(wrong_password, wrong_code, second_factor_off),
    )
    async def renew_recovery_codes(
        self,
        data: JSONBody[PasswordAndCode],
        request: ChatRequest,
        own_guess: OwnGuess,
        tx: Tx,
        passwords: Passwords,
        second_factors: SecondFactors,
    ) -> RecoveryCodes:
        async with own_guess:
            return await second_factors.renew_recovery_codes(
                tx, request.caller, current_password=data.current_password, code=data.code, passwords=passwords
            )
