"""A database of these tests' own, its cast, and what they do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import Interval, literal, select, update

from app.db import Database, open_engine
from app.domain.conversations.read_cursors import read
from app.domain.messages.models import MessageRow
from app.domain.messages.schemas import Message
from app.domain.messages.send import Sent, send_batch
from app.domain.notifications import decisions, digests, preferences
from app.domain.notifications.in_app_notifications import NewNotice
from app.domain.notifications.models import NotificationDecisionRow, Subscription
from app.domain.users.caller import Caller
from app.settings import Settings
from tests.support.drafts import draft
from tests.support.scene import Scene, set_up

AFTER, QUIET = timedelta(seconds=30), timedelta(minutes=60)


class Room:
    """One conversation, and a clock that the test advances."""

    def __init__(self, database: Database, scene: Scene) -> None:
        self.database = database
        self.scene = scene
        self.conversation = scene.conversation

    async def say(self, by: Caller, text: str = "hello", *, ago: float = 60) -> Message:
        async with self.database.transaction() as session:
            (outcome,) = await send_batch(session, [draft(self.conversation, by, "text", text)])
        assert isinstance(outcome, Sent), outcome
        message = msgspec.json.decode(outcome.message, type=Message)
        await self.age(ago)
        return message

    async def age(self, seconds: float) -> None:
        """As if so much time had passed for messages and mails."""
        passed = literal(timedelta(seconds=seconds), Interval)
        async with self.database.transaction() as session:
            await session.execute(
                update(MessageRow)
                .where(MessageRow.conversation_id == self.conversation)
                .values(sent_at=MessageRow.sent_at - passed)
            )
            await session.execute(
                update(Subscription)
                .where(Subscription.conversation_id == self.conversation)
                .values(mailed_at=Subscription.mailed_at - passed, mail_due_at=Subscription.mail_due_at - passed)
            )

    async def decide(self) -> list[NewNotice]:
        async with self.database.transaction() as session:
            return await decisions.decide(session, self.conversation, AFTER, QUIET)

    async def mail(self, *here: Caller, known: bool = True) -> int:
        """Mails posted, with these people present."""
        async with self.database.transaction() as session:
            keys = [key for key in await digests.due(session) if key[0] == self.conversation]
            _, posted = await digests.decide(session, keys, {one.user for one in here} if known else None)
        return posted

    async def read(self, by: Caller, seq: int) -> None:
        async with self.database.transaction() as session:
            await read(session, self.conversation, by.user, seq)

    async def attend(
        self,
        by: Caller,
        *,
        level: Literal["all", "mentions", "none"] = "all",
        muted_until: datetime | None = None,
        mails: bool = True,
    ) -> None:
        async with self.database.transaction() as session:
            await preferences.set_preferences(
                session, by, self.conversation, level=level, muted_until=muted_until, mails=mails
            )

    async def why(self, by: Caller, channel: str) -> list[tuple[str, int, int]]:
        """(outcome, from, up to) of a member's decisions, oldest first."""
        async with self.database.transaction() as session:
            rows = await session.execute(
                select(
                    NotificationDecisionRow.outcome, NotificationDecisionRow.from_seq, NotificationDecisionRow.up_to_seq
                )
                .where(
                    NotificationDecisionRow.conversation_id == self.conversation,
                    NotificationDecisionRow.user_id == by.user,
                    NotificationDecisionRow.channel == channel,
                )
                .order_by(NotificationDecisionRow.id)
            )
            return [(row.outcome, row.from_seq, row.up_to_seq) for row in rows]


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    opened = Database(open_engine(settings.libpq_url, pool_size=8))
    yield opened
    await opened.close()


@pytest.fixture
async def room(database: Database) -> Room:
    return Room(database, await set_up(database))


def told_to(received: list[NewNotice]) -> set[UUID]:
    return {one.user for one in received}
