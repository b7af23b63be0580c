"""What may be done so often and not more: mails to a mailbox that strangers cause, changes of a name."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

Quota = Literal["mails", "renames"]


@runtime_checkable
class Quotas(Protocol):
    """Counts; `app.realtime.quotas` does. Subjects that exist and others are counted alike."""

    async def allows(self, quota: Quota, subject: str, /) -> bool:
        """Whether it may be done once more now. Counts it."""

    async def require(self, quota: Quota, subject: str, /) -> None:
        """The same; raises Throttled."""


def mail_to(email_digest: str, purpose: str) -> str:
    """The subject of `mails`: each purpose has its own, so that asking for one mail does not use up another."""
    return f"{purpose}:{email_digest}"
