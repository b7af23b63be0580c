"""Who may register, as a setting and as clients read it."""

from __future__ import annotations

from typing import Literal

import msgspec

RegistrationMode = Literal["open", "invite", "closed"]


class RegistrationRules(msgspec.Struct, frozen=True, kw_only=True):
    """`mode`: registration is `open` to anyone, needs an `invite`, or is `closed`."""

    mode: RegistrationMode
