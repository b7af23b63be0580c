"""Checks in batches which logins are still valid: requests that arrive during a query share the next one."""

from __future__ import annotations

from collections.abc import Sequence

from app.batching import Batcher
from app.db import Database
from app.domain.auth.login_status import ended_logins
from app.domain.auth.operator_check import is_operator
from app.domain.error_catalogue import login_ended, path_not_found
from app.domain.users.caller import Caller

MAX_BATCH = 256
MAX_WAITING = 4_000


class BatchedLoginChecks:
    """Always reads from Postgres, so a positive answer is never older than the request."""

    def __init__(self, database: Database, *, operators_need_second_factor: bool = False) -> None:
        self._database = database
        self._need_second_factor = operators_need_second_factor
        self._checks: Batcher[Caller, bool] = Batcher(
            self._check, max_batch=MAX_BATCH, max_waiting=MAX_WAITING, concurrency=2
        )

    async def ensure(self, caller: Caller) -> None:
        """Raises Unauthenticated if the login has ended, Unavailable if Postgres is down."""
        if not await self._checks.call(caller):
            raise login_ended()

    async def ensure_operator(self, caller: Caller) -> None:
        """Raises NotFound, worded like an unknown path, if the caller is not an operator; Forbidden
        `second_factor_needed` if an operator lacks a required second factor."""
        async with self._database.read_only() as reader:
            if not await is_operator(reader, caller, need_second_factor=self._need_second_factor):
                raise path_not_found()

    async def _check(self, callers: Sequence[Caller]) -> Sequence[bool]:
        async with self._database.read_only() as reader:
            ended = await ended_logins(reader, {(caller.session, caller.user) for caller in callers})
        return [caller.session not in ended for caller in callers]
