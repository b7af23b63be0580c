"""The output of a run: progress lines, and the table at the end. It contains only counts."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.system.chaos.driver import Driver


async def progress(driver: Driver, every: float) -> None:
    counts, before = driver.record.counts, Counter[str]()
    while True:
        await asyncio.sleep(every)
        sent, received = counts["send ok"] - before["send ok"], counts["frames told"] - before["frames told"]
        print(
            f"{time.monotonic() - driver.record.began:6.1f} s  {sent / every:5.0f} acknowledged/s"
            f"  {received / every:6.0f} frames/s  {counts['send unknown']} unknown so far",
            flush=True,
        )
        before = counts.copy()


def table(driver: Driver) -> str:
    """Counts, then the faults: how often each fired, and how soon every socket was whole again."""
    record = driver.record
    counts = record.counts
    acknowledged = {(call.conversation, call.user, call.key) for call in record.of("send") if call.outcome == "ok"}
    keys = {(call.conversation, call.user, call.key) for call in record.of("send")}
    seconds = time.monotonic() - record.began
    lines = [
        "",
        (
            f"sends wanted {len(keys)}, calls {len(record.of('send'))}, acknowledged {len(acknowledged)}"
            f" ({len(acknowledged) / seconds:.0f}/s over the whole run), without an answer {counts['send unknown']},"
            f" refused or to be tried again {counts['send failed']}"
        ),
        (
            f"frames told {counts['frames told']}, resumes {counts['resumes']}, loaded anew {counts['loaded anew']},"
            f" connections {sum(entry.kind == 'opened' for line in record.timelines for entry in line.entries)}"
        ),
        (
            f"sent once without a key {len(record.of('send once'))}, acknowledged {counts['send once ok']},"
            f" unknown {counts['send once unknown']}, refused {counts['send once failed']};"
            f" pages that ended early {counts['pages that ended early']}"
        ),
        (
            f"walks {counts['walks']}, pages compared with Postgres {counts['pages compared with Postgres']},"
            f" removals {len(record.removals)}, edits {counts['edit ok']}, deletions {counts['delete ok']},"
            f" read marks {counts['read ok']}, sockets greeted in storms {counts['sockets greeted in storms']}"
        ),
        (
            f"this driver's own longest sleep {max((lag for _, lag in record.lags), default=0.0):.2f} s;"
            f" this disk's longest pause {max((pause for _, pause in record.disk_pauses), default=0.0):.2f} s"
        ),
        "",
        f"| {'fault':36} | fired | survived | whole again after, at most |",
        f"|{'-' * 38}|------:|---------:|---------------------------:|",
    ]
    for fault in dict.fromkeys(window.fault for window in record.windows):
        windows = [window for window in record.windows if window.fault == fault]
        survived = sum(not window.problems for window in windows)
        slowest = max(window.converged or 0.0 for window in windows)
        lines.append(f"| {fault:36} | {counts[f'fault {fault}']:5} | {survived:8} | {slowest:24.2f} s |")
    return "\n".join(lines)
