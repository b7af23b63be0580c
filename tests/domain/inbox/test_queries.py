"""The list of conversations, what is found in it, and its pages."""

from __future__ import annotations

import base64
from uuid import UUID, uuid4

import msgspec
import pytest

from app.domain.conversations import directs, groups, members, queries, read_cursors
from app.domain.errors import Invalid, NotFound
from app.domain.inbox.detail import detail
from app.domain.inbox.queries import _OWN, discover, inbox, summary
from app.domain.inbox.schemas import ConversationSummary
from tests.support.conversations import Cast, Chat
from tests.support.statements import recorded_statements


async def walk(chat: Chat, user: UUID, limit: int, search: str | None = None) -> list[ConversationSummary]:
    """All pages of one's own list."""
    found: list[ConversationSummary] = []
    cursor = None
    while True:
        page = await chat.do(inbox, user, search=search, cursor=cursor, limit=limit)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


async def test_the_latest_activity_comes_first(chat: Chat, cast: Cast) -> None:
    first, second, third = [await chat.do(groups.create, cast.ada, f"Room {number}") for number in range(3)]
    assert [one.id for one in await walk(chat, cast.ada, 50)] == [third, second, first]
    await chat.send(first, cast.ada)
    await chat.do(groups.change, second, cast.ada, name="Renamed")
    assert [one.id for one in await walk(chat, cast.ada, 50)] == [second, first, third]
    # Who comes and goes, and what is read, is no activity.
    await chat.do(members.add, third, cast.ada, cast.grace)
    assert [one.id for one in await walk(chat, cast.ada, 50)] == [second, first, third]


async def test_a_summary_has_the_unread_count_and_the_last_message(chat: Chat, cast: Cast) -> None:
    room = await chat.group(cast)
    *_, last = [await chat.send(room, cast.ada, f"message {number}") for number in range(4)]
    await chat.do(read_cursors.read, room, cast.linus, 1)
    (line,) = await walk(chat, cast.linus, 50)
    assert (line.last_seq, line.read_seq, line.unread, line.role) == (4, 1, 3, "member")
    assert line.last_message == last
    assert line.updated_at == last.sent_at
    (own,) = await walk(chat, cast.ada, 50)
    assert (own.unread, own.read_seq) == (0, 4)
    edited = await chat.edit(last, cast.ada, "edited")
    assert (await walk(chat, cast.linus, 50))[0].last_message == edited
    await chat.erase(last, cast.ada)
    gone = (await walk(chat, cast.linus, 50))[0].last_message
    assert gone is not None
    assert (gone.text, gone.seq, gone.deleted_at is not None) == ("", 4, True)


async def test_the_list_is_one_statement_and_so_is_the_snapshot(chat: Chat, cast: Cast) -> None:
    for _ in range(5):
        await chat.send(await chat.group(cast), cast.linus)
    with recorded_statements(chat.database) as statements:
        assert len((await chat.do(inbox, cast.linus)).items) == 5
    assert len(statements) == 1
    with recorded_statements(chat.database) as statements:
        assert await chat.snapshot(cast.linus) == await walk(chat, cast.linus, 50)
    assert len(statements) == 2


async def test_the_list_holds_only_conversations_of_its_reader(chat: Chat, cast: Cast) -> None:
    mine, left, closed = [await chat.group(cast, is_private=False) for _ in range(3)]
    await chat.do(members.leave, left, cast.linus)
    await chat.do(groups.delete, closed, cast.ada)
    assert [one.id for one in await walk(chat, cast.linus, 50)] == [mine]
    assert [one.id for one in await chat.snapshot(cast.linus)] == [mine]
    for outsider in (cast.eve, cast.mallory):
        assert await walk(chat, outsider, 50) == []


async def test_a_search_ignores_case_and_finds_names_and_direct_peers(chat: Chat, cast: Cast) -> None:
    engines = await chat.do(groups.create, cast.ada, "Analytical Engines")
    percent = await chat.do(groups.create, cast.ada, "100%_sure\\")
    direct, _ = await chat.do(directs.get_or_create, cast.linus, cast.ada)
    for search, wanted in (
        ("ENGINE", [engines]),
        ("%", [percent]),
        ("%_s", [percent]),
        ("sure\\", [percent]),
        ("_", [percent]),
        ("linus ex", [direct]),
        ("ada", []),
        ("nothing like it", []),
        ("", [direct, percent, engines]),
    ):
        assert [one.id for one in await walk(chat, cast.ada, 50, search)] == wanted, search
    with pytest.raises(Invalid):
        await chat.do(inbox, cast.ada, search="a\0b")


async def test_a_direct_conversation_shows_the_other_person_to_each(chat: Chat, cast: Cast) -> None:
    direct, _ = await chat.do(directs.get_or_create, cast.linus, cast.ada)
    for me, other in ((cast.linus, cast.ada), (cast.ada, cast.linus)):
        line = await chat.do(summary, direct, me)
        assert line.peer is not None
        assert line.peer.id == other
        assert await chat.snapshot(me) == [line]
    group = await chat.group(cast)
    assert (await chat.do(summary, group, cast.ada)).peer is None


async def test_pages_walk_the_whole_list_once(chat: Chat, cast: Cast) -> None:
    rooms = [await chat.do(groups.create, cast.ada, f"Room {number}") for number in range(7)]
    # Equal times: the id decides, and the cursor goes between them.
    await chat.sql("UPDATE conversations SET updated_at = now() WHERE created_by = :user", user=cast.ada)
    for limit in (1, 2, 3, 7, 8):
        assert [one.id for one in await walk(chat, cast.ada, limit)] == rooms[::-1]


async def test_an_unknown_cursor_or_one_of_another_list_is_refused(chat: Chat, cast: Cast) -> None:
    room = await chat.group(cast)
    for _ in range(2):
        await chat.do(groups.create, cast.ada, "Room")
    mine = (await chat.do(inbox, cast.ada, limit=1)).next
    people = (await chat.do(queries.members_page, room, limit=1)).next
    assert mine is not None
    assert people is not None
    naive = base64.urlsafe_b64encode(
        msgspec.json.encode({"type": "inbox", "updated_at": "2026-01-01T00:00:00", "id": str(room)})
    ).decode()
    for cursor in (people, mine[:-3], mine + "A", "nothing", "", "é", "a" * 10_000, "!!!!", naive):
        with pytest.raises(Invalid) as refused:
            await chat.do(inbox, cast.ada, cursor=cursor)
        assert refused.value.code == "invalid_cursor"
    with pytest.raises(Invalid):
        await chat.do(queries.members_page, room, cursor=mine)
    with pytest.raises(Invalid):
        await chat.do(discover, cast.ada, cursor=mine)
    held = _OWN.key(mine)
    assert held is not None
    assert _OWN.page([held, held], 1, lambda key: key)[1] == mine


async def test_last_messages_of_a_snapshot_are_cut(chat: Chat, cast: Cast) -> None:
    room = await chat.group(cast)
    await chat.send(room, cast.ada, "ä" * 300)
    (line,) = await chat.snapshot(cast.linus, cut=200)
    assert line.last_message is not None
    assert line.last_message.text == "ä" * 200
    (line,) = await chat.snapshot(cast.linus)
    assert line.last_message is not None
    assert line.last_message.text == "ä" * 300


async def test_outsiders_discover_public_conversations(chat: Chat, cast: Cast) -> None:
    mark = uuid4().hex
    public = [await chat.group(cast, is_private=False, name=f"Open {mark} {number}") for number in range(3)]
    await chat.group(cast, name=f"Hidden {mark}")
    closed = await chat.group(cast, is_private=False, name=f"Closed {mark}")
    await chat.do(groups.delete, closed, cast.ada)
    await chat.send(public[0], cast.ada)
    for who in (cast.eve, cast.mallory):
        page = await chat.do(discover, who, search=mark.upper())
        assert [one.id for one in page.items] == public[::-1]
        assert {(one.role, one.last_message, one.unread) for one in page.items} == {(None, None, 0)}
    assert (await chat.do(discover, cast.linus, search=mark)).items == []
    first = await chat.do(discover, cast.eve, search=mark, limit=2)
    rest = await chat.do(discover, cast.eve, search=mark, limit=2, cursor=first.next)
    assert [one.id for one in [*first.items, *rest.items]] == public[::-1]
    assert rest.next is None
    await chat.do(members.join, public[0], cast.eve)
    assert len((await chat.do(discover, cast.eve, search=mark)).items) == 2


async def test_pages_of_members_skip_and_repeat_none_while_members_change(chat: Chat, cast: Cast) -> None:
    room = await chat.group(cast, is_private=False)
    staying = [cast.ada, cast.grace, *[await chat.person(f"Person {number}") for number in range(6)]]
    for person in reversed(staying[2:]):
        await chat.do(members.add, room, cast.ada, person)
    seen: list[UUID] = []
    cursor = None
    while True:
        page = await chat.do(queries.members_for, room, cast.eve, cursor=cursor, limit=2)
        seen += [member.user.id for member in page.items]
        cursor = page.next
        if cursor is None:
            break
        # One who has been seen comes back later in the log, one goes for good.
        await chat.do(members.leave, room, seen[-1] if seen[-1] != cast.ada else seen[0])
        await chat.do(members.join, room, seen[-1] if seen[-1] != cast.ada else seen[0])
        if cast.linus in [member.user.id for member in (await chat.do(queries.members_page, room)).items]:
            await chat.do(members.leave, room, cast.linus)
    assert len(seen) == len(set(seen))
    assert set(staying) <= set(seen)


async def test_an_opened_conversation_shows_fifty_members_and_counts_all(chat: Chat, cast: Cast) -> None:
    room = await chat.group(cast)
    await chat.sql(
        "WITH people AS (INSERT INTO users (id, email, first_name, last_name, password_hash)"
        " SELECT gen_random_uuid(), gen_random_uuid() || '@example.org', 'One', 'Of many', '!'"
        " FROM generate_series(1, 60) RETURNING id)"
        " INSERT INTO memberships (conversation_id, user_id, created_position, position)"
        " SELECT :room, id, 10, 10 FROM people",
        room=room,
    )
    await chat.sql("UPDATE conversations SET member_count = 63 WHERE id = :room", room=room)
    shown = await chat.do(detail, room, cast.linus)
    assert (len(shown.members), shown.member_count) == (50, 63)
    page = await chat.do(queries.members_for, room, cast.linus, limit=100)
    assert (len(page.items), page.next, page.items[:50]) == (63, None, shown.members)
    with pytest.raises(NotFound):
        await chat.do(queries.members_for, room, cast.eve)
