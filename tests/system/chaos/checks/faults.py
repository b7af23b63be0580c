"""What must hold while things are broken."""

from __future__ import annotations

from tests.system.chaos.probes import AWAY_SECONDS
from tests.system.chaos.record import Record
from tests.system.chaos.truth import Truth

RESTARTING = 1012
STOP_SECONDS = 20.0
PROBES = frozenset({"probe login", "probe page", "probe read"})


def every_fault_was_survived(record: Record, truth: Truth) -> list[str]:
    """I5, I6, I12, I16: what was seen to fail while a fault lasted, or 5 s after; and no planned fault stayed out."""
    return [problem for window in record.windows for problem in window.problems]


def nothing_waits_for_redis(record: Record, truth: Truth) -> list[str]:
    """I12: with Redis away everything is answered within 2 s, and the probes' calls well."""
    found = []
    windows = [window for window in record.windows if window.redis]
    for call in record.calls:
        window = next((one for one in windows if one.began <= call.began <= one.healed), None)
        if window is None or not call.ended:
            continue
        bound = AWAY_SECONDS * record.patience + record.stalled(call.began, call.ended)
        if call.seconds > bound:
            since, whole = call.began - window.began, window.healed - window.began
            found.append(
                f"I12: in '{window.fault}' a {call.verb} to {call.conversation[-4:]} took {call.seconds:.2f} s,"
                f" from {since:.2f} s after its start"
                f" (whole again after {whole:.2f} s), and ended {call.outcome} {call.code}".rstrip()
            )
        if call.verb in PROBES and call.outcome != "ok":
            found.append(f"I12: in '{window.fault}' a {call.verb} was answered {call.status} {call.code}")
    return found


def stops_are_clean(record: Record, truth: Truth) -> list[str]:
    """I13: a process stopped under load exits within 20 s with code 0, and its sockets are closed with 1012."""
    found = []
    for stop in record.stops:
        if stop.seconds > STOP_SECONDS or stop.exit_code != 0:
            found.append(f"I13: {stop.node} stopped after {stop.seconds:.1f} s with {stop.exit_code}")
        found += [f"I13: a socket of {stop.node} was closed with {code}" for code in stop.closes if code != RESTARTING]
    return found
