"""The plug: an operator stops Redis or the API for some seconds, to see that nothing is lost.

A file in DATA_DIR requests it. `chat up` owns the servers and is not stopped itself: it finds the file, kills the part,
and removes the file when the part may run again. While the file exists, a second request is refused by whichever
process receives it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Final, Literal, TypeAlias, get_args

import msgspec
from msgspec import Meta

Part: TypeAlias = Literal["redis", "api"]
Seconds: TypeAlias = Annotated[int, Meta(ge=1, le=30)]

PARTS: Final[tuple[Part, ...]] = get_args(Part)
FILE: Final = "plug.json"
LATE_SECONDS: Final = 5
"""After this long, a part runs again although the file is still there: `chat up` was killed."""

POLL_SECONDS: Final = 0.05


class PartOutage(msgspec.Struct, frozen=True, kw_only=True):
    """`requested_at`: seconds since 1970."""

    part: Part
    seconds: Seconds
    requested_at: float = msgspec.field(default_factory=time.time)


def request(data_dir: Path, outage: PartOutage) -> bool:
    """Requests the outage. Returns False if one is requested already."""
    # Linked into place, so that a reader finds the whole file, and of two requests one fails.
    draft = data_dir / f"{FILE}.{token_hex(8)}"
    draft.write_bytes(msgspec.json.encode(outage))
    try:
        (data_dir / FILE).hardlink_to(draft)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def requested(data_dir: Path) -> PartOutage | None:
    """Returns the outage that is requested or running."""
    with suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((data_dir / FILE).read_bytes(), type=PartOutage)
    return None


def clear(data_dir: Path) -> None:
    """Ends the outage: the file is gone, and another may be requested."""
    (data_dir / FILE).unlink(missing_ok=True)


def wait_until_plugged(data_dir: Path, part: Part) -> None:
    """Returns once no outage of `part` is running. For the start of the process that was stopped."""
    while (outage := requested(data_dir)) is not None and outage.part == part:
        if time.time() > outage.requested_at + outage.seconds + LATE_SECONDS:
            return
        time.sleep(POLL_SECONDS)
