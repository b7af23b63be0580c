"""Limits that a user can reach and reads in an error. Each comes from the contract."""

from __future__ import annotations

from typing import Final

MAX_MEMBERS: Final = 10_000
"""Per conversation."""

MAX_CONVERSATIONS: Final = 5_000
"""Per user; hidden conversations are not counted."""

MAX_PAGE_SIZE: Final = 500
"""Messages."""

MAX_SCHEDULED_BROADCASTS: Final = 100

MAX_OPEN_INVITES: Final = 1_000
"""Neither expired nor revoked."""

MAX_THROTTLE_EXCEPTIONS: Final = 10_000
"""Users with a rate of their own, over all policies."""
