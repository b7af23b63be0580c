"""What may be done so often and not more: mails to a mailbox that strangers cause, changes of a name, and strangers
who are added to a conversation, counted for who adds (`additions`) and for who is added (`added`)."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from app.domain.users.email_addresses import digest_of, mailbox_of

Quota = Literal["mails", "mailboxes", "renames", "additions", "added"]
Purpose = Literal["welcome", "registration", "activation", "password", "email", "login", "login_refused"]


@runtime_checkable
class Quotas(Protocol):
    """Counts; `app.throttling.quota_limiter` does. Subjects that exist and others are counted alike."""

    async def allows(self, quota: Quota, subject: str, /) -> bool:
        """Whether it may be done once more now. Counts it."""

    async def require(self, quota: Quota, subject: str, /) -> None:
        """The same; raises Throttled."""


async def allows_mail(quotas: Quotas, email: str, purpose: Purpose) -> bool:
    """Whether one more mail may go to this address, and to its mailbox: `ada+1@…`, `ada+2@…` and `a.da@…` end in one.

    Each purpose has its own count, so that asking for one mail does not use up another.
    """
    address, mailbox = mail_to(email, purpose)
    return await quotas.allows("mails", address) and await quotas.allows("mailboxes", mailbox)


async def require_mail(quotas: Quotas, email: str, purpose: Purpose) -> None:
    """The same; raises Throttled."""
    address, mailbox = mail_to(email, purpose)
    await quotas.require("mails", address)
    await quotas.require("mailboxes", mailbox)


def mail_to(email: str, purpose: Purpose) -> tuple[str, str]:
    """The subjects of `mails` and of `mailboxes`. No address stands in Redis."""
    return f"{purpose}:{digest_of(email)}", f"{purpose}:{digest_of(mailbox_of(email))}"
