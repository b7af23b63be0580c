"""One sweep that cannot keeps none of the others from theirs, and does not pass unseen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database, open_engine
from app.domain.audit.log import MIN_RETENTION
from app.domain.auth import cleanup
from app.domain.jobs import failed_tasks
from app.domain.jobs.failed_tasks import Failure
from app.settings import Settings
from app.tasks import expiry


async def test_a_failing_sweep_does_not_stop_the_others(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(open_engine(settings.libpq_url, pool_size=1))
    context = cast("Any", SimpleNamespace(database=database, audit=MIN_RETENTION))
    async with database.transaction() as session:
        gone = Failure("chat.cache.long_ago", "[]", "cache", "failed", "E", "w", 6)
        await failed_tasks.record_failure(session, gone)

    async def cannot(_: AsyncSession) -> int:
        raise ValueError("what somebody wrote")

    with psycopg.connect(settings.libpq_url) as connection:
        connection.execute(
            "UPDATE failed_tasks SET failed_at = now() - interval '31 days' WHERE task = %s", [gone.task]
        )
        connection.commit()
        monkeypatch.setattr(cleanup, "sweep", cannot)
        with pytest.raises(expiry.SweepFailed, match="1 of"):
            await expiry._expire(context)
        left = connection.execute("SELECT 1 FROM failed_tasks WHERE task = %s", [gone.task]).fetchall()
    assert left == []
    await database.close()
