"""How many mails strangers may cause: a mailbox is not flooded by who does not own it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Postage(Protocol):
    """Counts mails to an address; `app.realtime.postage` does. Known and unknown addresses are counted alike."""

    async def allows(self, email: str) -> bool:
        """Whether one more may be sent now. Counts it."""

    async def require(self, email: str) -> None:
        """The same; raises Throttled."""
