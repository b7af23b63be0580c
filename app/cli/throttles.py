"""`chat throttle …`: shows and changes policies while the chat runs, and reports counts. It needs only the database."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import UUID

from app.cli.commands import CommandLine, done, load_beside
from app.domain.rates import MAX_COUNT

if TYPE_CHECKING:
    from app.db import Session
    from app.domain.throttling.policies import Policies
    from app.domain.throttling.schemas import ThrottleException, ThrottlePolicyState

T = TypeVar("T")

SHOWN_EXCEPTIONS: Final = 100
"""Exceptions shown per policy."""

HOURS: Final = range(1, 14 * 24 + 1)
LIMITS: Final = range(1, MAX_COUNT + 1)


def add(command_line: CommandLine) -> None:
    family = command_line.family("throttle", "the throttles: policies and what was counted")
    family.add("show", show, "show each policy with its rate, its setting and its last change")

    command = family.add("set", set_rate, "set the rate of a policy; takes effect in every process within 2 s")
    command.add_argument("policy")
    command.add_argument("rate", help="the rate, as in 60/minute")
    command.add_argument("--user", help="e-mail address or id: set the rate of this user only")

    command = family.add("unset", unset, "reset a policy to its setting")
    command.add_argument("policy")
    command.add_argument("--user", help="e-mail address or id: remove this user's own rate")

    command = family.add("report", report, "chart attempts and refusals, and the effect of another limit")
    command.add_argument("policy", nargs="?", help="one policy (default: all with attempts)")
    command.add_argument("--hours", type=int, default=24, help="length of the report in hours (24; two weeks are kept)")
    command.add_argument("--limit", type=int, help="estimate the effect of this limit")
    command.add_argument(
        "--share", type=float, default=1.0, help="percentage of users that a suggested limit may affect (1)"
    )


def report(arguments: argparse.Namespace) -> int:
    from app.cli.charts import chart

    async def lines(session: Session, policies: Policies) -> list[str]:
        from app.domain.throttling.reports import Reports

        reports = Reports(policies)
        since = datetime.now(UTC) - timedelta(hours=arguments.hours)
        counted = {
            one.policy: one for one in (await reports.analytics(session, arguments.policy, since, None)).policies
        }
        return [
            chart(
                counted.get(name),
                await reports.what_if(
                    session, name, limit=arguments.limit, share=arguments.share / 100, since=since, until=None
                ),
            )
            for name in ([arguments.policy] if arguments.policy else counted)
        ]

    if (
        arguments.hours not in HOURS
        or (arguments.limit is not None and arguments.limit not in LIMITS)
        or not 0 <= arguments.share <= 100
    ):
        print("chat: Hours must be 1 to 336, a limit at least 1, and a share 0 to 100 percent.", file=sys.stderr)
        return 1
    return _done(lines, lambda pages: "\n\n\n".join(pages) or "Nothing was counted in this period.")


def show(arguments: argparse.Namespace) -> int:
    async def lines(session: Session, policies: Policies) -> list[str]:
        states = (await policies.report(session)).items
        lines = ["{:<18} {:>15} {:>15}  {}".format("policy", "rate", "settings", "changed")]
        for state in states:
            lines.append(_line(state))
            if state.exceptions:
                page = await policies.exceptions(session, state.policy, limit=SHOWN_EXCEPTIONS, cursor=None)
                lines += [_exception(one) for one in page.items]
                if page.next:
                    lines.append(f"  … {state.exceptions:,} in all")
        return lines

    return _done(lines, "\n".join)


def set_rate(arguments: argparse.Namespace) -> int:
    async def change(session: Session, policies: Policies) -> str:
        if arguments.user is None:
            return (await policies.set(session, None, arguments.policy, arguments.rate)).rate
        user = await _user(session, arguments.user)
        return (await policies.set_for(session, None, arguments.policy, user, arguments.rate)).rate

    for_user = f" for {arguments.user}" if arguments.user else ""
    return _done(change, lambda rate: f"{arguments.policy} is {rate}{for_user}, in every process within 2 s.")


def unset(arguments: argparse.Namespace) -> int:
    async def change(session: Session, policies: Policies) -> None:
        if arguments.user is None:
            await policies.unset(session, None, arguments.policy)
        else:
            await policies.unset_for(session, None, arguments.policy, await _user(session, arguments.user))

    outcome = f"has no exception for {arguments.user}" if arguments.user else "is reset to its setting"
    return _done(change, lambda _: f"{arguments.policy} {outcome}, in every process within 2 s.")


def _done(job: Callable[[Session, Policies], Awaitable[T]], lines: Callable[[T], str]) -> int:
    """Like `commands.done`, for a job that also needs the policies from the settings."""
    from app.domain.throttling.policies import Policies
    from app.wiring import throttle_rates

    settings = load_beside()
    policies = Policies(throttle_rates(settings))
    return done(settings, lambda session: job(session, policies), lines)


async def _user(session: Session, who: str) -> UUID:
    """Returns the id of the user with this id or e-mail address. Raises NotFound `unknown_user`."""
    from app.domain.users.queries import owner_of

    try:
        return UUID(who)
    except ValueError:
        return await owner_of(session, who)


def _line(state: ThrottlePolicyState) -> str:
    who = (
        "the command line"
        if state.changed_by is None
        else _name(state.changed_by.first_name, state.changed_by.last_name)
    )
    changed = f"from {state.changed_from} at {state.changed_at:%Y-%m-%d %H:%M} by {who}" if state.changed_at else "–"
    return f"{state.policy:<18} {state.rate:>15} {state.default:>15}  {changed}"


def _exception(one: ThrottleException) -> str:
    return f"  {_name(one.user.first_name, one.user.last_name)} ({one.user.id}): {one.rate}"


def _name(first: str, last: str) -> str:
    return f"{first} {last}"
