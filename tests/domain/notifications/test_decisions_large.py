"""The largest conversation there may be: ten thousand members, decided about in one transaction, and with plans that
Postgres made when there were few."""

from __future__ import annotations

from sqlalchemy import text

from app.domain.size_limits import MAX_MEMBERS
from tests.domain.notifications.conftest import Room

PREPARED = 12
"""Decisions about a few members after which Postgres keeps the plans of the statements: it makes five others first."""


async def test_decisions_for_ten_thousand_members_are_made_and_recorded_repeatedly(room: Room) -> None:
    for _ in range(PREPARED):
        await room.say(room.scene.ada)
        await room.decide()
    async with room.database.transaction() as session:
        await session.execute(
            text(
                "WITH people AS (INSERT INTO users (id, email, first_name, last_name, password_hash)"
                " SELECT gen_random_uuid(), gen_random_uuid() || '@example.org', 'Many', n::text, ''"
                " FROM generate_series(1, :many) n RETURNING id)"
                " INSERT INTO memberships (conversation_id, user_id, created_position, position)"
                " SELECT CAST(:conversation AS uuid), id, 4, 4 FROM people"
            ),
            {"many": MAX_MEMBERS - 3, "conversation": str(room.conversation)},
        )
        await session.execute(
            text(
                "INSERT INTO subscriptions (conversation_id, user_id, level)"
                " SELECT conversation_id, user_id, 'none' FROM memberships WHERE conversation_id = :it LIMIT 5000"
                " ON CONFLICT DO NOTHING"
            ),
            {"it": room.conversation},
        )
    for _ in range(2):
        await room.say(room.scene.ada)
        received = await room.decide()
        assert MAX_MEMBERS - 5_002 <= len(received) <= MAX_MEMBERS - 4_998
        assert await room.decide() == []
    async with room.database.transaction() as session:
        # Thousands of due mails would stand before those of the tests that follow.
        await session.execute(
            text("UPDATE subscriptions SET mail_due_at = NULL WHERE conversation_id = :it"), {"it": room.conversation}
        )
