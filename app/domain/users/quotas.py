"""Limits on how often something may be done: mails to a mailbox caused by strangers, renames, and adding strangers
to a conversation, counted for the user who adds (`additions`) and for the user who is added (`added`)."""

from __future__ import annotations

from typing import Literal, Protocol

from app.domain.users.email_addresses import digest_of, mailbox_of

Quota = Literal["mails", "mailboxes", "renames", "additions", "added"]
Purpose = Literal["welcome", "registration", "activation", "password", "email", "login", "login_refused"]


class Quotas(Protocol):
    """Counts uses; implemented by `app.throttling.hourly_quotas`. Existing and unknown subjects are counted alike."""

    async def allows(self, quota: Quota, subject: str, /) -> bool:
        """Counts one use and returns whether it is within the quota."""

    async def require(self, quota: Quota, subject: str, /) -> None:
        """Like `allows`, but raises Throttled."""


async def allows_mail(quotas: Quotas, email: str, purpose: Purpose) -> bool:
    """Counts a mail and returns whether both the address and its mailbox may receive it. `ada+1@…`, `ada+2@…` and
    `a.da@…` share one mailbox.

    Each purpose has its own count, so that requesting one kind of mail does not use up another.
    """
    address, mailbox = mail_to(email, purpose)
    return await quotas.allows("mails", address) and await quotas.allows("mailboxes", mailbox)


async def require_mail(quotas: Quotas, email: str, purpose: Purpose) -> None:
    """Like `allows_mail`, but raises Throttled."""
    address, mailbox = mail_to(email, purpose)
    await quotas.require("mails", address)
    await quotas.require("mailboxes", mailbox)


def mail_to(email: str, purpose: Purpose) -> tuple[str, str]:
    """Returns the subjects for `mails` and `mailboxes`. They are digests, so Redis holds no address."""
    return f"{purpose}:{digest_of(email)}", f"{purpose}:{digest_of(mailbox_of(email))}"
