"""Draws throttle statistics for a terminal: a bar of attempts for each hour, and the refusals under other limits."""

from __future__ import annotations

from typing import Final

from app.domain.throttling.schemas import PolicyAnalytics, ThrottleWhatIf

WIDTH: Final = 32
LET_THROUGH, REFUSED = "█", "░"
MAX_NAMED: Final = 5


def chart(policy: PolicyAnalytics | None, what_if: ThrottleWhatIf) -> str:
    """Draws one page for one policy. `policy` is None if nothing was counted."""
    head = (
        f"{what_if.policy}, {what_if.rate}, from {what_if.since:%Y-%m-%d %H:%M} to {what_if.until:%Y-%m-%d %H:%M} UTC"
    )
    if policy is None:
        return f"{head}\n\n{what_if.suggestion.reason}"
    return "\n".join([head, "", *_hours(policy), "", *_most_refused(policy), *_curve(what_if), "", *_end(what_if)])


def bar(part: int, whole: int, most: int) -> str:
    """Draws `whole` to the scale of `most`, with its last `part` as refused. A nonzero value is at least one wide."""
    length = _length(whole, most)
    refused = min(length, _length(part, most))
    return (LET_THROUGH * (length - refused) + REFUSED * refused).ljust(WIDTH)


def _length(number: int, most: int) -> int:
    return max(1, round(WIDTH * number / most)) if number else 0


def _hours(policy: PolicyAnalytics) -> list[str]:
    most = max((hour.attempts for hour in policy.hours), default=0)
    lines = [
        f"{'hour':<12}  {LET_THROUGH} let through  {REFUSED} refused".ljust(14 + WIDTH)
        + _numbers("attempts", "refused", "who")
    ]
    lines += [
        f"{hour.hour:%m-%d %H:%M}   {bar(hour.refused, hour.attempts, most)}"
        + _numbers(hour.attempts, hour.refused, hour.subjects)
        for hour in policy.hours
    ]
    lines.append("all".ljust(14 + WIDTH) + _numbers(policy.attempts, policy.refused, policy.subjects))
    if policy.unattributed:
        lines.append(
            f"{policy.unattributed:,} attempts are not attributed, because there were too many callers in one minute"
        )
    return lines


def _most_refused(policy: PolicyAnalytics) -> list[str]:
    lines = ["refused the most"] if policy.most_refused else []
    for one in policy.most_refused[:MAX_NAMED]:
        name = f"{one.person.first_name} {one.person.last_name} " if one.person else ""
        lines.append(f"  {one.refused:,} of {one.attempts:,}: {name}({one.subject})")
    return [*lines, ""] if lines else []


def _curve(what_if: ThrottleWhatIf) -> list[str]:
    lines = ["what if the limit were".ljust(14 + WIDTH) + _numbers("", "refused", "who")]
    for point in what_if.curve:
        drawn = bar(point.refused, point.refused, what_if.attempts)
        lines.append(f"{point.limit:>12,}  {drawn}" + _numbers("", point.refused, point.subjects))
    return lines


def _end(what_if: ThrottleWhatIf) -> list[str]:
    summary = (
        f"{what_if.limit:,}: {what_if.refused:,} of {what_if.attempts:,} refused,"
        f" to {what_if.touched:,} of {what_if.subjects:,}."
    )
    until = f"Counted up to {what_if.counted_until:%H:%M} UTC." if what_if.counted_until else ""
    return [summary, what_if.suggestion.reason, until]


def _numbers(*numbers: int | str) -> str:
    return "".join(f"{number:>10,}" if isinstance(number, int) else f"{number:>10}" for number in numbers)
