"""`chat mails` shows the outbox: what waits, what was postponed, and how the others ended."""

from __future__ import annotations

import json

from app.domain.mails import outbox
from tests.cli.conftest import Cast
from tests.support.command import chat


async def test_mails_are_listed_with_their_state_newest_first(cast: Cast) -> None:
    async with cast.database.transaction() as session:
        sent = await outbox.post(session, "welcome", "ada@example.org", user=cast.ada, first_name="Ada")
        await outbox.post(session, "activation", "stranger@example.org", first_name="Eve")
        postponed = await outbox.post(session, "forgotten_password", "linus@example.org", user=cast.linus)
        await outbox.post_nothing(session, "forgotten_password")
    async with cast.database.transaction() as session:
        await outbox.settle(session, sent, outbox.SENT)
        claimed = await outbox.claim(session, postponed)
        assert claimed is not None
        assert await outbox.postpone(session, claimed)

    listed = chat(cast.settings, "mails")
    assert listed.returncode == 0, listed.stderr
    rows = [line.split() for line in listed.stdout.splitlines()[1:]]
    assert [(row[2], row[3], row[-1]) for row in rows] == [
        ("forgotten_password", "postponed", "linus@example.org"),
        ("activation", "waiting", "stranger@example.org"),
        ("welcome", "sent", "–"),
    ]

    def found(*words: str) -> list[str]:
        return [one["kind"] for one in json.loads(chat(cast.settings, "mails", "--json", *words).stdout)]

    assert found("--state", "postponed") == ["forgotten_password"]
    assert found("--to", "STRANGER@example.org") == ["activation"]
    assert found("--to", "ada@example.org") == ["welcome"], "a settled mail is found by its account"
    assert found("--limit", "1") == ["forgotten_password"]
    assert chat(cast.settings, "mails", "--to", "root@example.org").stdout == "There are no such mails.\n"
