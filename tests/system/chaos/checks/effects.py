"""What leaves the chat, once; and what others feel of who does not read."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median

from tests.system.chaos.deliveries import deliveries
from tests.system.chaos.record import Record
from tests.system.chaos.strains import STOPS_READING
from tests.system.chaos.truth import Digest, Truth

SENT = "sent"
UNDECIDED = (None, "unknown")
SLOWER = 3.0
SLOWER_SECONDS = 0.2
"""Coarse: 240 messages of 8 KB are delivered as well. A delivery that waits for a stalled reader takes seconds."""
ENOUGH = 50


def a_mail_is_sent_once(record: Record, truth: Truth) -> list[str]:
    """I9: no mail twice, none that is said to be sent and never was, and no message in two digests to one person."""
    times = Counter(letter.mail for letter in record.letters)
    found = [f"I9: mail {mail} was sent {count} times" for mail, count in times.items() if count > 1]
    for mail, outcome in truth.mails.items():
        if outcome == SENT and mail not in times:
            found.append(f"I9: mail {mail} is said to be sent and never was")
        elif mail in times and outcome != SENT and outcome not in UNDECIDED:
            found.append(f"I9: mail {mail} was sent and is said to be {outcome}")
    received: defaultdict[tuple[str, str], list[Digest]] = defaultdict(list)
    for digest in truth.digests:
        received[digest.user, digest.conversation].append(digest)
    for (user, conversation), digests in received.items():
        reached = 0
        for digest in sorted(digests, key=lambda one: (one.start, one.end)):
            if digest.start < reached:
                found.append(f"I9: {user} had mail about {digest.start + 1} of {conversation} twice")
            reached = max(reached, digest.end)
    return found


def a_slow_reader_slows_nobody(record: Record, truth: Truth) -> list[str]:
    """I11: beside a socket that stops reading, messages reach the others about as soon as ever."""
    windows = [window for window in record.windows if window.fault == STOPS_READING]
    if not windows:
        return []
    delays = deliveries(record)
    usual = median(delay for _, delay in delays) if delays else 0.0
    found = []
    for window in windows:
        beside = [delay for at, delay in delays if window.began <= at <= window.healed]
        bound = (usual * SLOWER + SLOWER_SECONDS) * record.patience + record.stalled(window.began, window.healed)
        if len(beside) >= ENOUGH and median(beside) > bound:
            found.append(f"I11: beside a socket that does not read messages took {median(beside) * 1000:.0f} ms")
    return found
