"""What the fault driver promises itself: every wait of it has an end."""

from __future__ import annotations

from typing import Final

from tests.support.processes import START_SECONDS

CONVERGED_SECONDS: Final = 5.0
"""I6: after the last fault heals."""
DELIVERED_SECONDS: Final = 3.0
"""Without Redis, a message reaches every socket so soon after its commit."""
RATE: Final = 130.0
"""Sends a second, all writers together."""
ABSENT: Final = ("Dana", "Kay", "Lynn")
NAMES_SECONDS: Final = 10.0
SETTLE_SECONDS: Final = 60.0
BACK_SECONDS: Final = START_SECONDS + 15.0
"""A process that does not start is given up sooner."""
FAULT_SECONDS: Final = 120.0
"""No fault takes so much longer than it says, and nothing at the end of a run takes so long."""
