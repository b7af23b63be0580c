"""Second factors: codes of an authenticator (TOTP, RFC 6238) or one of ten recovery codes, each valid once.

A code is valid during its own half minute and the ones on either side, and never twice: the newest step used is stored
under the row's lock. Time is Postgres's, so that a node with a wrong clock locks out no user.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Annotated, Final
from uuid import UUID

import msgspec
import pyotp
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.auth import security_log
from app.domain.auth.passwords import Passwords
from app.domain.auth.random_codes import new_code, normalize_code
from app.domain.auth.reauthentication import require_password
from app.domain.auth.refresh import end_logins
from app.domain.error_catalogue import (
    invalid_code,
    second_factor_not_begun,
    second_factor_off,
    second_factor_on,
    second_factor_required,
    wrong_code,
)
from app.domain.mails import outbox
from app.domain.users.caller import Caller
from app.domain.users.models import LoginSession, RecoveryCode, SecondFactor, User

STEP: Final = 30
RECOVERY_CODES: Final = 10

_NOW = func.extract("epoch", func.clock_timestamp())


class Enrolment(msgspec.Struct, frozen=True):
    """The secret for an authenticator app: `uri` for a QR code, `secret` for typing."""

    secret: Annotated[str, msgspec.Meta(examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"])]
    uri: Annotated[str, msgspec.Meta(examples=["otpauth://totp/Chat:ada%40example.org?secret=JBSWY3DP&issuer=Chat"])]


class RecoveryCodes(msgspec.Struct, frozen=True):
    """Shown only once. Each code replaces the authenticator's code for one login."""

    recovery_codes: Annotated[list[str], msgspec.Meta(examples=[["k3mz-q5xw-7b2n-tfya"]])]


class State(msgspec.Struct, frozen=True):
    enabled: bool
    recovery_codes_left: int


class SecondFactors:
    """Seals secrets with a key derived from `secret`; opens those sealed with `previous` and reseals them on use.

    An authenticator app shows `app_name` beside the codes.
    """

    def __init__(self, secret: str, previous: str = "", *, app_name: str = "Chat") -> None:
        self._issuer = app_name
        self._seal = MultiFernet([Fernet(_key(value)) for value in (secret, previous) if value])

    async def enrol(
        self, session: AsyncSession, caller: Caller, current_password: str, passwords: Passwords
    ) -> Enrolment:
        """Enrols an authenticator, which takes effect once `confirm` has accepted one of its codes.

        Raises:
            Invalid: `wrong_password`.
            Conflict: `second_factor_on`: a second factor is already active.
        """
        account = await require_password(session, caller, current_password, passwords)
        secret = pyotp.random_base32()
        new = {"sealed_secret": self._seal.encrypt(secret.encode()), "last_step": 0}
        enrolled = await session.scalar(
            upsert(SecondFactor)
            .values(user_id=account.id, **new)
            .on_conflict_do_update(index_elements=["user_id"], set_=new, where=SecondFactor.confirmed_at.is_(None))
            .returning(SecondFactor.user_id)
        )
        if enrolled is None:
            raise second_factor_on()
        return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=account.email, issuer_name=self._issuer))

    async def confirm(self, session: AsyncSession, caller: Caller, code: str) -> RecoveryCodes:
        """Activates the second factor: logins need a code from now on, and all logins but the caller's end.

        Raises:
            Conflict: `second_factor_off`: nothing was enrolled; `second_factor_on`: already active.
            Invalid: `wrong_code`.
        """
        row = await _lock_factor(session, caller.user)
        if row is None:
            raise second_factor_not_begun()
        if row.confirmed_at is not None:
            raise second_factor_on()
        step = self._step(row, code)
        if step is None:
            raise wrong_code()
        await session.execute(
            update(SecondFactor)
            .where(SecondFactor.user_id == caller.user)
            .values(confirmed_at=func.clock_timestamp(), last_step=step)
        )
        codes = await _new_recovery_codes(session, caller.user)
        await end_logins(session, LoginSession.user_id == caller.user, LoginSession.id != caller.session)
        await _post_notice(session, "second_factor_on", caller.user)
        security_log.log_act("second_factor_on", caller.user)
        return codes

    async def renew_recovery_codes(
        self, session: AsyncSession, caller: Caller, *, current_password: str, code: str, passwords: Passwords
    ) -> RecoveryCodes:
        """Replaces all recovery codes with ten new ones.

        Raises:
            Invalid: `wrong_password`, `wrong_code`.
            Conflict: `second_factor_off`.
        """
        account = await require_password(session, caller, current_password, passwords)
        await self._prove(session, account.id, code)
        await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == account.id))
        codes = await _new_recovery_codes(session, account.id)
        await _post_notice(session, "recovery_codes_new", account.id)
        security_log.log_act("recovery_codes_renewed", account.id)
        return codes

    async def disable(
        self, session: AsyncSession, caller: Caller, *, current_password: str, code: str, passwords: Passwords
    ) -> None:
        """Removes the second factor, so that the password alone is enough to log in.

        Raises:
            Invalid: `wrong_password`, `wrong_code`.
            Conflict: `second_factor_off`: none is active.
        """
        account = await require_password(session, caller, current_password, passwords)
        await self._prove(session, account.id, code)
        await session.execute(delete(SecondFactor).where(SecondFactor.user_id == account.id))
        await _post_notice(session, "second_factor_off", account.id)
        security_log.log_act("second_factor_off", account.id)

    async def _prove(self, session: AsyncSession, user: UUID, code: str) -> None:
        """Accepts a code of the authenticator or spends a recovery code. Raises Conflict, Invalid."""
        row = await _lock_factor(session, user)
        if row is None or row.confirmed_at is None:
            raise second_factor_off()
        if not await self._accept(session, user, row, code):
            security_log.log_failure("second_factor_failed", user)
            raise wrong_code()

    async def require(self, session: AsyncSession, user: UUID, code: str | None) -> None:
        """Checks the code at a login, after the password. Does nothing if the user has no second factor.

        Raises:
            Unauthenticated: `second_factor_required` without a code; `invalid_code` with a wrong or used one.
        """
        row = await _lock_factor(session, user)
        if row is None or row.confirmed_at is None:
            return
        if not code:
            raise second_factor_required()
        if not await self._accept(session, user, row, code):
            security_log.log_failure("second_factor_failed", user)
            raise invalid_code()

    async def _accept(self, session: AsyncSession, user: UUID, row: Row[*tuple[object, ...]], code: str) -> bool:
        """Returns whether the code, of the authenticator or a recovery code, is valid, and uses it up."""
        step = self._step(row, code)
        if step is None:
            return await _spend_recovery_code(session, user, code)
        await session.execute(
            update(SecondFactor)
            .where(SecondFactor.user_id == user)
            .values(last_step=step, sealed_secret=self._seal.rotate(row.sealed_secret))
        )
        return True

    async def state(self, session: AsyncSession, caller: Caller) -> State:
        left = (
            select(func.count()).where(RecoveryCode.user_id == SecondFactor.user_id).correlate(SecondFactor)
        ).scalar_subquery()
        row = (
            await session.execute(
                select(left).where(SecondFactor.user_id == caller.user, SecondFactor.confirmed_at.is_not(None))
            )
        ).one_or_none()
        return State(enabled=row is not None, recovery_codes_left=row[0] if row is not None else 0)

    async def reseal(self, session: AsyncSession) -> int:
        """Reseals all secrets with the current key, before the previous one is discarded. Returns how many."""
        rows = (await session.execute(select(SecondFactor.user_id, SecondFactor.sealed_secret).with_for_update())).all()
        for row in rows:
            await session.execute(
                update(SecondFactor)
                .where(SecondFactor.user_id == row.user_id)
                .values(sealed_secret=self._seal.rotate(row.sealed_secret))
            )
        return len(rows)

    def _step(self, row: Row[*tuple[object, ...]], code: str) -> int | None:
        """Returns the step of this code if it is within one step of now and newer than the last one used."""
        try:
            totp = pyotp.TOTP(self._seal.decrypt(row.sealed_secret).decode())
        except InvalidToken:
            return None  # sealed with a key that is no longer configured: a recovery code still logs in
        now = int(row.now) // STEP
        typed = code.strip().replace(" ", "")
        good = [
            step
            for step in (now - 1, now, now + 1)
            if hmac.compare_digest(totp.generate_otp(step).encode(), typed.encode("utf-8", "surrogatepass"))
        ]
        return next((step for step in good if step > row.last_step), None)


async def _lock_factor(session: AsyncSession, user: UUID) -> Row[*tuple[object, ...]] | None:
    found = await session.execute(
        select(SecondFactor.sealed_secret, SecondFactor.confirmed_at, SecondFactor.last_step, _NOW.label("now"))
        .where(SecondFactor.user_id == user)
        .with_for_update()
    )
    return found.one_or_none()


async def _spend_recovery_code(session: AsyncSession, user: UUID, code: str) -> bool:
    spent = await session.scalar(
        delete(RecoveryCode)
        .where(RecoveryCode.user_id == user, RecoveryCode.digest == _digest(code))
        .returning(RecoveryCode.user_id)
    )
    return spent is not None


async def _new_recovery_codes(session: AsyncSession, user: UUID) -> RecoveryCodes:
    codes = [new_code() for _ in range(RECOVERY_CODES)]
    await session.execute(insert(RecoveryCode), [{"user_id": user, "digest": _digest(code)} for code in codes])
    return RecoveryCodes(codes)


async def _post_notice(session: AsyncSession, kind: outbox.Kind, user: UUID) -> None:
    account = (await session.execute(select(User.email, User.first_name).where(User.id == user))).one()
    await outbox.post(session, kind, account.email, user=user, first_name=account.first_name)


def _digest(code: str) -> bytes:
    return hashlib.sha256(normalize_code(code).encode("utf-8", "surrogatepass")).digest()


def _key(secret: str) -> bytes:
    # A separate key for this purpose: the secret signs tokens as well.
    return base64.urlsafe_b64encode(hmac.digest(secret.encode(), b"chat.second-factor.v1", "sha256"))
