"""What a mutation is: a small defect, put into a process of the chat as it starts, that one checker must see.

The product knows nothing of them. `fire` says, in the process's log, that the defect did its work: a mutation that
never fired proves nothing. `replace` is how the defects get in.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from inspect import Parameter, isfunction, signature
from typing import Any, Final, Literal

import msgspec

FIRED: Final = "mutation fired"
Defect = Callable[[], None]
Process = Literal["api", "worker"]


class Mutation(msgspec.Struct, frozen=True, kw_only=True):
    """`caught` is the checker that must turn red, by name, and `promise` what it must say is broken.

    `faults`, by name, run at the same time, for defects that appear only then; the run lasts for `seconds` at
    least, with `rate` sends a second. `process` is where the defect lives.
    """

    name: str
    defect: Defect
    promise: str
    caught: str
    faults: tuple[str, ...] = ()
    seconds: float = 8.0
    rate: float = 60.0
    process: Process = "api"

    @property
    def says(self) -> str:
        return (self.defect.__doc__ or "").strip()


MUTATIONS: Final[dict[str, Mutation]] = {}


def mutation(promise: str, caught: Callable[..., list[str]] | str, **options: Any) -> Callable[[Defect], Defect]:
    """Declares the function below, which puts the defect in, by its own name."""

    def declare(defect: Defect) -> Defect:
        name = defect.__name__.replace("_", "-")
        checker = caught if isinstance(caught, str) else caught.__name__
        MUTATIONS[name] = Mutation(name=name, defect=defect, promise=promise, caught=checker, **options)
        return defect

    return declare


def replace(owner: object, name: str, make: Callable[[Any], Any]) -> None:
    """Put what `make(the original)` gives in the place of `owner.name`. Raises TypeError for a function that cannot be
    called as the original is: the call would fail instead of doing what the defect says."""
    original = getattr(owner, name)
    made = make(original)
    if isfunction(original) and isfunction(made):
        accepted = signature(made).parameters.values()
        named = {one.name for one in accepted}
        refused = [
            one.name
            for one in signature(original).parameters.values()
            if one.kind is Parameter.KEYWORD_ONLY and one.name not in named
        ]
        if refused and not any(one.kind is Parameter.VAR_KEYWORD for one in accepted):
            raise TypeError(f"{made.__qualname__} takes no {', '.join(refused)}, which {original.__qualname__} does")
    setattr(owner, name, made)


def fire(times: int = 1) -> None:
    """Say so. Straight to the log: whatever has taken over standard output does not matter."""
    if times:
        os.write(1, f"{FIRED}\n".encode() * times)


def one_in(count: int) -> Callable[[], bool]:
    """True at every `count`-th call."""
    numbers = itertools.count(1)
    return lambda: next(numbers) % count == 0
