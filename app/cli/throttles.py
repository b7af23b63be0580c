"""`chat throttle …`: shows and changes policies while the chat runs, and reports counts. It needs only the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import rich_click as click

from app.cli import output
from app.cli.commands import FAILED, complain, done, family, json_option, load_beside, user_id
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
COLUMNS: Final = (
    output.Column("policy", 18),
    output.Column("rate", 15, right=True),
    output.Column("settings", 15, right=True),
    output.Column("changed", gap=2),
)

policy_argument = click.argument("policy", help="The policy, as `chat throttle show` lists it.")
user_option = click.option("--user", metavar="WHO", help="E-mail address or id: only for this user.")


@family("throttle", panel="Act", help="The throttles: policies and what was counted.")
def throttle() -> None: ...


@throttle.command(
    "show",
    help="Show each policy with its rate, its setting and its last change.",
    examples=["chat throttle show", "chat throttle show --json"],
)
@json_option
def show(as_json: bool) -> int:
    async def states(session: Session, policies: Policies) -> list[ThrottlePolicyState]:
        return (await policies.report(session)).items

    async def table(session: Session, policies: Policies) -> output.Table:
        rows: list[list[str]] = []
        for state in await states(session, policies):
            rows.append(_row(state))
            if state.exceptions:
                page = await policies.exceptions(session, state.policy, limit=SHOWN_EXCEPTIONS, cursor=None)
                rows += [[_exception(one)] for one in page.items]
                if page.next:
                    rows.append([f"  … {state.exceptions:,} in all"])
        return output.Table(COLUMNS, rows)

    if as_json:
        return _done(states, lambda _: "", as_json=True)
    return _done(table, lambda shown: shown)


@throttle.command(
    "set",
    help="Set the rate of a policy. It takes effect in every process within 2 s.",
    examples=["chat throttle set messages 120/minute", "chat throttle set messages 5/minute --user ada@example.org"],
)
@policy_argument
@click.argument("rate", help="The rate, as in 60/minute.")
@user_option
@json_option
def set_rate(policy: str, rate: str, user: str | None, as_json: bool) -> int:
    async def change(session: Session, policies: Policies) -> ThrottlePolicyState | ThrottleException:
        if user is None:
            return await policies.set(session, None, policy, rate)
        return await policies.set_for(session, None, policy, await user_id(session, user), rate)

    for_user = f" for {user}" if user else ""
    return _done(
        change, lambda made: f"{policy} is {made.rate}{for_user}, in every process within 2 s.", as_json=as_json
    )


@throttle.command(
    "unset",
    help="Reset a policy to its setting.",
    examples=["chat throttle unset messages", "chat throttle unset messages --user ada@example.org"],
)
@policy_argument
@user_option
def unset(policy: str, user: str | None) -> int:
    async def change(session: Session, policies: Policies) -> None:
        if user is None:
            await policies.unset(session, None, policy)
        else:
            await policies.unset_for(session, None, policy, await user_id(session, user))

    outcome = f"has no exception for {user}" if user else "is reset to its setting"
    return _done(change, lambda _: f"{policy} {outcome}, in every process within 2 s.")


@throttle.command(
    "report",
    help="Chart attempts and refusals, and the effect of another limit.",
    examples=["chat throttle report", "chat throttle report messages --hours 48 --limit 30"],
)
@click.argument("policy", required=False, help="One policy (default: all with attempts).")
@click.option("--hours", type=int, default=24, help="Length of the report in hours (24; two weeks are kept).")
@click.option("--limit", type=int, help="Estimate the effect of this limit.")
@click.option("--share", type=float, default=1.0, help="Percentage of users that a suggested limit may affect (1).")
@json_option
def report(policy: str | None, hours: int, limit: int | None, share: float, as_json: bool) -> int:
    from app.cli.charts import chart

    async def pages(session: Session, policies: Policies) -> list[dict[str, Any]]:
        from app.domain.throttling.reports import Reports

        reports = Reports(policies)
        since = datetime.now(UTC) - timedelta(hours=hours)
        counted = {one.policy: one for one in (await reports.analytics(session, policy, since, None)).policies}
        return [
            {
                "counted": counted.get(name),
                "what_if": await reports.what_if(
                    session, name, limit=limit, share=share / 100, since=since, until=None
                ),
            }
            for name in ([policy] if policy else counted)
        ]

    if hours not in HOURS or (limit is not None and limit not in LIMITS) or not 0 <= share <= 100:
        complain("Hours must be 1 to 336, a limit at least 1, and a share 0 to 100 percent.")
        return FAILED
    return _done(
        pages,
        lambda found: (
            "\n\n\n".join(chart(one["counted"], one["what_if"]) for one in found)
            or "Nothing was counted in this period."
        ),
        as_json=as_json,
    )


def _done(
    job: Callable[[Session, Policies], Awaitable[T]], formatted: Callable[[T], output.Part], *, as_json: bool = False
) -> int:
    """Like `commands.done`, for a job that also needs the policies from the settings."""
    from app.domain.throttling.policies import Policies
    from app.wiring import throttle_rates

    settings = load_beside()
    policies = Policies(throttle_rates(settings))
    return done(settings, lambda session: job(session, policies), formatted, as_json=as_json)


def _row(state: ThrottlePolicyState) -> list[str]:
    who = (
        "the command line"
        if state.changed_by is None
        else _name(state.changed_by.first_name, state.changed_by.last_name)
    )
    changed = f"from {state.changed_from} at {state.changed_at:%Y-%m-%d %H:%M} by {who}" if state.changed_at else "–"
    return [state.policy, str(state.rate), str(state.default), changed]


def _exception(one: ThrottleException) -> str:
    return f"  {_name(one.user.first_name, one.user.last_name)} ({one.user.id}): {one.rate}"


def _name(first: str, last: str) -> str:
    return f"{first} {last}"


COMMANDS = (throttle,)
