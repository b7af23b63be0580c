"""The checkers: each takes the record and the truth, and says in sentences what of one promise did not hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.system.chaos.checks import effects, faults, reading, sending, views
from tests.system.chaos.record import Record
from tests.system.chaos.truth import Truth

Check = Callable[[Record, Truth], list[str]]

CHECKS: Final[tuple[Check, ...]] = (
    sending.nothing_acknowledged_is_lost,
    sending.a_retry_is_no_duplicate,
    sending.said_once_is_stored_once,
    sending.there_is_one_order,
    sending.nothing_fails_inside,
    reading.paging_is_complete,
    reading.the_cache_never_lies,
    reading.pages_are_true_in_the_quiet,
    reading.unread_converges,
    reading.cursors_never_move_back,
    reading.removal_cuts_off,
    reading.deletion_ends_all,
    views.frames_follow_on_each_other,
    views.a_gap_is_repaired,
    views.views_equal_a_fresh_read,
    effects.a_mail_is_sent_once,
    effects.a_slow_reader_slows_nobody,
    faults.every_fault_was_survived,
    faults.nothing_waits_for_redis,
    faults.stops_are_clean,
)


def verdicts(record: Record, truth: Truth) -> dict[str, list[str]]:
    """What each checker, by name, found violated."""
    return {check.__name__: check(record, truth) for check in CHECKS}


def judge(record: Record, truth: Truth) -> list[str]:
    """Everything that was violated."""
    return [found for violations in verdicts(record, truth).values() for found in violations]
