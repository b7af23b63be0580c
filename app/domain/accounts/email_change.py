"""Changes an e-mail address once the owner of the new one confirms; the old one is notified before and after."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.auth import mailed_tokens, security_log
from app.domain.auth.passwords import Passwords
from app.domain.auth.reauthentication import require_password
from app.domain.error_catalogue import email_taken, invalid_mailed_token
from app.domain.mails import outbox
from app.domain.users.account_status import account_is_open
from app.domain.users.caller import Caller
from app.domain.users.email_addresses import check_email, is_taken_in_other_spelling
from app.domain.users.models import User
from app.domain.users.quotas import Quotas, require_mail


async def request(
    session: AsyncSession,
    caller: Caller,
    *,
    new_email: str,
    current_password: str,
    passwords: Passwords,
    quotas: Quotas,
) -> None:
    """Mails a token to the new address and a notice to the old one, without revealing whether the new one is taken.

    Raises:
        Invalid: not an e-mail address, or `wrong_password`.
        Throttled: too many mails to that address.
        Unavailable: too many passwords are being hashed.
    """
    new_email = check_email(new_email, "new_email")
    account = await require_password(session, caller, current_password, passwords)
    await require_mail(quotas, new_email, "email")
    # Any change of the account's credentials before the mail is sent voids the request: see `account_mail`.
    facts = {"first_name": account.first_name, "credentials": str(account.credentials)}
    await outbox.post(session, "confirm_email", new_email, user=account.id, **facts)
    # Neither this mail nor the one after the change quotes the new address: a stranger who registered the old address
    # in its owner's name chooses the new one, and could put a message or a link into it.
    await outbox.post(session, "email_change_asked", account.email, user=account.id, first_name=account.first_name)


async def confirm(session: AsyncSession, token: str) -> None:
    """Gives the account the address that the token was mailed to.

    Raises:
        Invalid: `invalid_mailed_token`.
        Conflict: `email_taken`: another account has taken the address since.
    """
    spent = await mailed_tokens.spend(session, token, "email")
    account = (
        await session.execute(
            select(User.id, User.email, User.first_name)
            .where(User.id == spent.user, User.credentials == spent.credentials, account_is_open())
            .with_for_update(key_share=True)
        )
    ).one_or_none()
    if account is None:
        raise invalid_mailed_token()
    if await is_taken_in_other_spelling(session, spent.email):
        raise email_taken()
    try:
        async with session.begin_nested():
            await session.execute(
                update(User).where(User.id == account.id).values(email=spent.email, credentials=User.credentials + 1)
            )
    except IntegrityError as error:
        raise email_taken() from error
    await mailed_tokens.void_all(session, account.id)
    security_log.log_act("email_changed", account.id)
    for address in (account.email, spent.email):
        await outbox.post(session, "email_changed", address, user=account.id, first_name=account.first_name)
