"""The caller's own account: profile, changes of password and e-mail, closing the account."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from litestar import Controller, delete, get, patch, post, put
from litestar.params import JSONBody

from app.api.dependencies import OwnGuess, Passwords, Quotas, Tx
from app.api.errors.problems import documented
from app.api.request import ChatRequest
from app.domain.accounts import closure, email_change, profile
from app.domain.accounts.registration import MAX_NAME_LENGTH, check_name
from app.domain.auth.passwords import check_new_password
from app.domain.error_catalogue import common_password, personal_password, wrong_password
from app.domain.users.email_addresses import check_email
from app.domain.users.schemas import Adders, Profile
from app.domain.validation import RULE

Name = Annotated[
    str, msgspec.Meta(min_length=1, max_length=MAX_NAME_LENGTH, examples=["Ada"], extra={RULE: check_name})
]
WhoMayAdd = Annotated[
    Adders | msgspec.UnsetType,
    msgspec.Meta(
        description=(
            "The users who may add me to groups and start direct conversations with me: `everybody`, `contacts` (users "
            "in a direct conversation that I started or recently wrote in, and users I added), or `nobody`."
        ),
    ),
]
Email = Annotated[str, msgspec.Meta(max_length=254, examples=["ada@example.org"], extra={RULE: check_email})]
LONGEST_TYPED = 512
"""Characters before normalisation: 128 in NFC are at most four times as many when decomposed."""

NewPassword = Annotated[
    str,
    msgspec.Meta(
        max_length=LONGEST_TYPED,
        description=(
            "8 to 128 characters, any characters, counted in Unicode's form NFC. The most common passwords are "
            "refused, as are your e-mail address and name."
        ),
        examples=["correct horse battery staple"],
        extra={RULE: check_new_password},
    ),
]
Password = Annotated[str, msgspec.Meta(max_length=1_000, examples=["correct horse battery staple"])]

T = TypeVar("T")


class ProfileChange(msgspec.Struct, forbid_unknown_fields=True):
    """Omitted fields stay unchanged."""

    first_name: Name | msgspec.UnsetType = msgspec.UNSET
    last_name: Name | msgspec.UnsetType = msgspec.UNSET
    who_may_add: WhoMayAdd = msgspec.UNSET


class WholeProfile(msgspec.Struct, forbid_unknown_fields=True):
    """Both names are required. Without `who_may_add` (older clients), that setting stays unchanged."""

    first_name: Name
    last_name: Name
    who_may_add: WhoMayAdd = msgspec.UNSET


class PasswordChange(msgspec.Struct, forbid_unknown_fields=True):
    current_password: Password
    new_password: NewPassword


class CurrentPassword(msgspec.Struct, forbid_unknown_fields=True):
    current_password: Password


class EmailChange(msgspec.Struct, forbid_unknown_fields=True):
    new_email: Email
    current_password: Password


class AccountController(Controller):
    """The caller's own account."""

    tags = ("Accounts",)

    @get("/me", operation_id="getMe", summary="Get my profile", responses=documented())
    async def read(self, request: ChatRequest, tx: Tx) -> Profile:
        return await profile.profile(tx, request.caller)

    @patch(
        "/me",
        operation_id="changeMyNames",
        summary="Change my names or my `who_may_add` setting",
        responses=documented(),
    )
    async def change(
        self,
        data: JSONBody[ProfileChange],
        request: ChatRequest,
        tx: Tx,
        quotas: Quotas,
    ) -> Profile:
        return await profile.change(
            tx,
            request.caller,
            quotas,
            first_name=_given(data.first_name),
            last_name=_given(data.last_name),
            who_may_add=_given(data.who_may_add),
        )

    @put(
        "/me",
        operation_id="replaceMyNames",
        summary="Replace both of my names",
        responses=documented(),
    )
    async def replace(
        self,
        data: JSONBody[WholeProfile],
        request: ChatRequest,
        tx: Tx,
        quotas: Quotas,
    ) -> Profile:
        return await profile.change(
            tx,
            request.caller,
            quotas,
            first_name=data.first_name,
            last_name=data.last_name,
            who_may_add=_given(data.who_may_add),
        )

    @post(
        "/reset-password",
        status_code=204,
        operation_id="changePassword",
        summary="Change my password",
        description="Ends all other logins.",
        responses=documented(wrong_password, common_password, personal_password),
    )
    async def change_password(
        self,
        data: JSONBody[PasswordChange],
        request: ChatRequest,
        own_guess: OwnGuess,
        tx: Tx,
        passwords: Passwords,
    ) -> None:
        async with own_guess:
            await profile.change_password(
                tx,
                request.caller,
                current_password=data.current_password,
                new_password=data.new_password,
                passwords=passwords,
            )

    @post(
        "/me/email",
        status_code=204,
        operation_id="changeMyEmail",
        summary="Request a change of my e-mail address",
        description="Takes effect once it is confirmed from the new address. The old address is notified.",
        responses=documented(wrong_password),
    )
    async def change_email(
        self,
        data: JSONBody[EmailChange],
        request: ChatRequest,
        own_guess: OwnGuess,
        tx: Tx,
        passwords: Passwords,
        quotas: Quotas,
    ) -> None:
        async with own_guess:
            await email_change.request(
                tx,
                request.caller,
                new_email=data.new_email,
                current_password=data.current_password,
                passwords=passwords,
                quotas=quotas,
            )

    @delete(
        "/me",
        operation_id="closeMyAccount",
        summary="Close my account",
        description=(
            'Messages remain, from "deleted user"; personal data is deleted at once. Within 10 s the account leaves '
            "its "
            "groups. The e-mail address can be registered again."
        ),
        responses=documented(wrong_password),
    )
    async def close(
        self,
        data: JSONBody[CurrentPassword],
        request: ChatRequest,
        own_guess: OwnGuess,
        tx: Tx,
        passwords: Passwords,
    ) -> None:
        async with own_guess:
            await closure.close(tx, request.caller, current_password=data.current_password, passwords=passwords)


def _given(value: T | msgspec.UnsetType) -> T | None:
    return None if isinstance(value, msgspec.UnsetType) else value
