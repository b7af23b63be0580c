"""Throttle policies, exceptions and reports, for operators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Controller, delete, get, put
from litestar.params import FromPath, JSONBody, QueryParameter

from app.api.dependencies import Policies, Reports, Tx
from app.api.errors.problems import documented
from app.api.middleware.authentication import OPERATORS
from app.api.pagination import Cursor, Limit
from app.api.request import ChatRequest
from app.domain.error_catalogue import (
    invalid_cursor,
    path_not_found,
    policy_not_found,
    too_many_exceptions,
    user_not_found,
)
from app.domain.rates import MAX_COUNT
from app.domain.throttling.schemas import (
    ThrottleAnalytics,
    ThrottleException,
    ThrottleExceptionPage,
    ThrottlePolicies,
    ThrottlePolicyState,
    ThrottleWhatIf,
)


class WantedRate(msgspec.Struct, forbid_unknown_fields=True):
    """A count of at least 1 per second, minute, hour or day, such as `60/minute`."""

    rate: Annotated[str, msgspec.Meta(max_length=32)]


Since = Annotated[
    datetime | None, QueryParameter(name="from", description="Start of the interval. Default: a day before `to`.")
]
Until = Annotated[
    datetime | None, QueryParameter(description="End of the interval. Default: now. Whole hours are counted.")
]


class ThrottleController(Controller):
    tags = ("Operators",)
    opt = OPERATORS
    path = "/ops/throttle/policies"

    @get(
        "/",
        operation_id="listThrottlePolicies",
        summary="List the throttling policies with their rate, their default and their last change",
        responses=documented(path_not_found),
    )
    async def listing(self, policies: Policies, tx: Tx) -> ThrottlePolicies:
        return await policies.report(tx)

    @put(
        "/{policy:str}",
        operation_id="setThrottlePolicy",
        summary="Change the rate of a policy for all users",
        description=(
            "Takes effect in every process within 2 s. Existing counts are kept, unless the window changes: then "
            "counting starts at zero."
        ),
        responses=documented(path_not_found, policy_not_found),
    )
    async def change(
        self,
        policy: FromPath[str],
        data: JSONBody[WantedRate],
        request: ChatRequest,
        policies: Policies,
        tx: Tx,
    ) -> ThrottlePolicyState:
        return await policies.set(tx, request.caller.user, policy, data.rate)

    @delete(
        "/{policy:str}",
        operation_id="resetThrottlePolicy",
        summary="Reset a policy to its setting",
        responses=documented(path_not_found, policy_not_found),
    )
    async def reset(
        self,
        policy: FromPath[str],
        request: ChatRequest,
        policies: Policies,
        tx: Tx,
    ) -> None:
        await policies.unset(tx, request.caller.user, policy)

    @get(
        "/{policy:str}/users",
        operation_id="listThrottleExceptions",
        summary="List the users with a rate of their own",
        responses=documented(invalid_cursor, path_not_found, policy_not_found),
    )
    async def exceptions(
        self,
        policy: FromPath[str],
        policies: Policies,
        tx: Tx,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> ThrottleExceptionPage:
        return await policies.exceptions(tx, policy, limit=limit, cursor=cursor)

    @put(
        "/{policy:str}/users/{user_id:uuid}",
        operation_id="setThrottleException",
        summary="Give one user a rate of their own",
        responses=documented(path_not_found, policy_not_found, user_not_found, too_many_exceptions),
    )
    async def change_for(
        self,
        policy: FromPath[str],
        user_id: FromPath[UUID],
        data: JSONBody[WantedRate],
        request: ChatRequest,
        policies: Policies,
        tx: Tx,
    ) -> ThrottleException:
        return await policies.set_for(tx, request.caller.user, policy, user_id, data.rate)

    @delete(
        "/{policy:str}/users/{user_id:uuid}",
        operation_id="resetThrottleException",
        summary="Remove a user's own rate",
        responses=documented(path_not_found, policy_not_found),
    )
    async def reset_for(
        self,
        policy: FromPath[str],
        user_id: FromPath[UUID],
        request: ChatRequest,
        policies: Policies,
        tx: Tx,
    ) -> None:
        await policies.unset_for(tx, request.caller.user, policy, user_id)


class ThrottleReportController(Controller):
    tags = ("Operators",)
    opt = OPERATORS
    path = "/ops/throttle"

    @get(
        "/analytics",
        operation_id="showThrottleAnalytics",
        summary="Get attempts and refusals by policy and hour, with the callers refused most often",
        description=(
            "Counts appear after about three minutes and are kept for two weeks. Networks are shown as digests."
        ),
        responses=documented(path_not_found, policy_not_found),
    )
    async def analytics(
        self,
        reports: Reports,
        tx: Tx,
        policy: Annotated[
            str | None, QueryParameter(max_length=32, description="Limits the result to one policy. Default: all.")
        ] = None,
        from_: Since = None,
        to: Until = None,
    ) -> ThrottleAnalytics:
        return await reports.analytics(tx, policy, from_, to)

    @get(
        "/what-if",
        operation_id="askWhatIf",
        summary="Estimate what another limit of a policy would have refused, and get a suggested limit",
        description=(
            "Windows have the policy's length and are aligned with the clock. A throttle's window slides, so it "
            "refuses "
            "at least this much. Only counts from windows of the current length are used. Refused clients often retry, "
            "so the attempts depend on the limit in force."
        ),
        responses=documented(path_not_found, policy_not_found),
    )
    async def what_if(
        self,
        reports: Reports,
        tx: Tx,
        policy: Annotated[str, QueryParameter(max_length=32, description="The policy's name.")],
        limit: Annotated[
            int | None,
            QueryParameter(ge=1, le=MAX_COUNT, description="Requests per window. Default: the limit in force."),
        ] = None,
        share: Annotated[
            float, QueryParameter(ge=0, le=1, description="Share of users that a suggested limit may affect.")
        ] = 0.01,
        from_: Since = None,
        to: Until = None,
    ) -> ThrottleWhatIf:
        return await reports.what_if(tx, policy, limit=limit, share=share, since=from_, until=to)
