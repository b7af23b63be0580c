"""A rate: at most `limit` in any window of `window` seconds, written as `60/minute`."""

from __future__ import annotations

from typing import Final, Self

import msgspec

UNIT_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
MAX_COUNT: Final = 1_000_000_000  # throttle scripts count in doubles: far below 2**53, far above any real rate


class Rate(msgspec.Struct, frozen=True):
    """`window` is in seconds. Both are at least 1."""

    limit: int
    window: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses `60/minute` (second, minute, hour or day). Raises ValueError with a sentence."""
        count, slash, unit = text.strip().lower().partition("/")
        count, unit = count.strip(), unit.strip()
        digits = count.isascii() and count.isdigit()
        if not slash or not digits or unit not in UNIT_SECONDS or not 1 <= int(count[:12]) <= MAX_COUNT:
            raise ValueError(
                f"'{text}' is not a rate: write a number from 1 and second, minute, hour or day, as in 60/minute"
            )
        return cls(limit=int(count), window=UNIT_SECONDS[unit])

    def __str__(self) -> str:
        for unit, seconds in UNIT_SECONDS.items():
            if seconds == self.window:
                return f"{self.limit}/{unit}"
        return f"{self.limit} in {self.window} s"
