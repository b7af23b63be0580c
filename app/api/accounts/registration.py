"""Registration, open or by invite, and what its page reads before: who may register, and whether an invite is open."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Controller, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from app.api.accounts.profile import Email, Name, NewPassword
from app.api.dependencies import Registrar, Tx
from app.api.errors.problems import documented
from app.api.middleware.authentication import PUBLIC
from app.api.responses import as_json
from app.domain.accounts.registration import RegistrationResult
from app.domain.accounts.schemas import RegistrationRules
from app.domain.error_catalogue import (
    common_password,
    email_taken,
    invalid_invite,
    invite_required,
    personal_password,
    registration_closed,
    unknown_invite,
)
from app.domain.invites import redemption
from app.domain.invites.invite_tokens import MAX_TOKEN_LENGTH
from app.domain.invites.schemas import InviteOffer
from app.domain.users.schemas import Profile

InviteToken = Annotated[
    str,
    msgspec.Meta(
        max_length=MAX_TOKEN_LENGTH,
        description="The token of an invite, from its link.",
        examples=["9xQfJ2mTn0VYw8sKcB4rD6uHa1Lz7PgE"],
    ),
]


class NewAccount(msgspec.Struct, forbid_unknown_fields=True):
    """`invite` is needed if the mode of registration is `invite`, and not read otherwise."""

    email: Email
    password: NewPassword
    first_name: Name
    last_name: Name
    invite: InviteToken = ""


class InviteCheck(msgspec.Struct, forbid_unknown_fields=True):
    token: InviteToken


class RegistrationController(Controller):
    tags = ("Accounts",)
    opt = PUBLIC

    @get(
        "/registration",
        operation_id="getRegistration",
        summary="Get who may register",
        responses=documented(),
    )
    async def rules(self, registrar: Registrar) -> RegistrationRules:
        return registrar.rules

    @post(
        "/users",
        operation_id="register",
        summary="Register",
        description=(
            "E-mail addresses are case-insensitive. With REQUIRE_ACTIVATION the response is always 202, and a mail "
            "is sent to the address in every case. Callers who may not register get 403 before anything is looked up."
        ),
        responses={
            201: ResponseSpec(Profile, description="Registered: log in."),
            202: ResponseSpec(RegistrationResult, description="A mail was sent; its link activates the account."),
            **documented(
                common_password, personal_password, registration_closed, invite_required, invalid_invite, email_taken
            ),
        },
    )
    async def register(self, data: JSONBody[NewAccount], tx: Tx, registrar: Registrar) -> Response[bytes]:
        outcome = await registrar.register(
            tx,
            email=data.email,
            password=data.password,
            first_name=data.first_name,
            last_name=data.last_name,
            invite=data.invite,
        )
        return as_json(outcome, status_code=201 if isinstance(outcome, Profile) else 202)

    @post(
        "/invites/check",
        status_code=200,
        operation_id="checkInvite",
        summary="Check an invite before registering with it",
        description=(
            "Takes no use. Unknown, expired, revoked and used-up invites are all 404 `invalid_invite`. The token is in "
            "the body because URLs are logged."
        ),
        responses=documented(unknown_invite),
    )
    async def check(self, data: JSONBody[InviteCheck], tx: Tx) -> InviteOffer:
        return await redemption.find(tx, data.token)
