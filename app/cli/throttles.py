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


def add(verbs: CommandLine) -> None:
    family = verbs.family("throttle", "the throttles: policies and what was counted")
    family.add("show", show, "each policy: what holds, what the settings say, who changed it")

    verb = family.add("set", set_rate, "change a policy, in every process within 2 s")
    verb.add_argument("policy")
    verb.add_argument("rate", help="as in 60/minute")
    verb.add_argument("--user", help="e-mail or id: for them alone")

    verb = family.add("unset", unset, "back to the settings")
    verb.add_argument("policy")
    verb.add_argument("--user", help="e-mail or id: what holds for everybody holds for them again")

    verb = family.add("report", report, "what was attempted and refused, and what another limit would do, as charts")
    verb.add_argument("policy", nargs="?", help="one policy (all under which something was attempted)")
    verb.add_argument("--hours", type=int, default=24, help="back from now (24; two weeks are kept)")
    verb.add_argument("--limit", type=int, help="what if the limit were this")
    verb.add_argument("--share", type=float, default=1.0, help="percent of people a suggested limit may touch (1)")


def report(asked: argparse.Namespace) -> int:
    from app.cli.charts import chart

    async def told(session: Session, policies: Policies) -> list[str]:
        from app.domain.throttling.reports import Reports

        reports = Reports(policies)
        since = datetime.now(UTC) - timedelta(hours=asked.hours)
        counted = {one.policy: one for one in (await reports.analytics(session, asked.policy, since, None)).policies}
        return [
            chart(
                counted.get(name),
                await reports.what_if(
                    session, name, limit=asked.limit, share=asked.share / 100, since=since, until=None
                ),
            )
            for name in ([asked.policy] if asked.policy else counted)
        ]

    if (
        asked.hours not in HOURS
        or (asked.limit is not None and asked.limit not in LIMITS)
        or not 0 <= asked.share <= 100
    ):
        print("chat: hours are 1 to 336, a limit is 1 at least, and a share from 0 to 100 percent.", file=sys.stderr)
        return 1
    return _done(told, lambda pages: "\n\n\n".join(pages) or "Nothing was counted in this time.")


def show(asked: argparse.Namespace) -> int:
    async def told(session: Session, policies: Policies) -> list[str]:
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

    return _done(told, "\n".join)


def set_rate(asked: argparse.Namespace) -> int:
    async def change(session: Session, policies: Policies) -> str:
        if asked.user is None:
            return (await policies.set(session, None, asked.policy, asked.rate)).rate
        user = await _user(session, asked.user)
        return (await policies.set_for(session, None, asked.policy, user, asked.rate)).rate

    whom = f" for {asked.user}" if asked.user else ""
    return _done(change, lambda rate: f"{asked.policy} is {rate}{whom}, in every process within 2 s.")


def unset(asked: argparse.Namespace) -> int:
    async def change(session: Session, policies: Policies) -> None:
        if asked.user is None:
            await policies.unset(session, None, asked.policy)
        else:
            await policies.unset_for(session, None, asked.policy, await _user(session, asked.user))

    whom = f"everybody's for {asked.user} again" if asked.user else "what the settings say again"
    return _done(change, lambda _: f"{asked.policy} is {whom}, in every process within 2 s.")


def _done(job: Callable[[Session, Policies], Awaitable[T]], told: Callable[[T], str]) -> int:
    """Like `commands.done`, for a job that also needs the policies from the settings."""
    from app.domain.throttling.policies import Policies
    from app.wiring import throttle_rates

    settings = load_beside()
    policies = Policies(throttle_rates(settings))
    return done(settings, lambda session: job(session, policies), told)


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
