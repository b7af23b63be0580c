"""Actions confirmed by mail: activating an account, resetting a forgotten password, confirming an address."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Controller, post
from litestar.params import JSONBody

from app.api.accounts.profile import Email, NewPassword
from app.api.dependencies import Passwords, Quotas, Registrar, Tx
from app.api.errors.problems import documented
from app.api.middleware.authentication import PUBLIC
from app.domain.accounts import email_change, password_reset, registration
from app.domain.error_catalogue import (
    common_password,
    email_taken,
    invalid_invite,
    invalid_mailed_token,
    invite_required,
    personal_password,
    registration_closed,
)

Token = Annotated[
    str,
    msgspec.Meta(max_length=200, description="The token from the mail.", examples=["pmvOaZ0cH7pQbDCg6sTtbBkX8n1Zq5yR"]),
]


class Address(msgspec.Struct, forbid_unknown_fields=True):
    email: Email


class TokenBody(msgspec.Struct, forbid_unknown_fields=True):
    token: Token


class ForgottenPassword(msgspec.Struct, forbid_unknown_fields=True):
    """`uid` is accepted from older clients and ignored."""

    token: Token
    new_password: NewPassword
    uid: Annotated[str, msgspec.Meta(max_length=200)] = ""


class MailedController(Controller):
    """Actions confirmed by mail. No response reveals whether an address has an account. Limits per kind of mail and
    hour: 5 to one address, 10 to a mailbox that several addresses share."""

    tags = ("By mail",)

    @post(
        "/activate",
        status_code=204,
        opt=PUBLIC,
        operation_id="activate",
        summary="Activate an account",
        description=(
            "The account has the name and password of the registration that the mail was sent for. The token works "
            "once, within 3 days. If the registration needed an invite, one of its uses is taken now."
        ),
        responses=documented(invalid_mailed_token, email_taken, registration_closed, invite_required, invalid_invite),
    )
    async def activate(self, data: JSONBody[TokenBody], tx: Tx, registrar: Registrar) -> None:
        await registrar.activate(tx, data.token)

    @post(
        "/resend-activation",
        status_code=204,
        opt=PUBLIC,
        operation_id="resendActivation",
        summary="Send the activation mail again",
        responses=documented(),
    )
    async def resend_activation(self, data: JSONBody[Address], tx: Tx, quotas: Quotas) -> None:
        await registration.resend_activation(tx, data.email, quotas)

    @post(
        "/forgot-password",
        status_code=204,
        opt=PUBLIC,
        operation_id="forgotPassword",
        summary="Request a password reset",
        responses=documented(),
    )
    async def forgot_password(self, data: JSONBody[Address], tx: Tx, quotas: Quotas) -> None:
        await password_reset.request(tx, data.email, quotas)

    @post(
        "/forgot-password-confirm",
        status_code=204,
        opt=PUBLIC,
        operation_id="chooseNewPassword",
        summary="Choose a new password",
        description="Ends all logins. The token works once, within an hour.",
        responses=documented(invalid_mailed_token, common_password, personal_password),
    )
    async def choose_new_password(
        self,
        data: JSONBody[ForgottenPassword],
        tx: Tx,
        passwords: Passwords,
    ) -> None:
        await password_reset.confirm(tx, token=data.token, new_password=data.new_password, passwords=passwords)

    @post(
        "/confirm-email",
        status_code=204,
        opt=PUBLIC,
        operation_id="confirmEmail",
        summary="Confirm a new e-mail address",
        description="The token works once, within a day.",
        responses=documented(invalid_mailed_token, email_taken),
    )
    async def confirm_email(self, data: JSONBody[TokenBody], tx: Tx) -> None:
        await email_change.confirm(tx, data.token)
