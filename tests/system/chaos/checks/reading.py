"""What was read over REST: pages complete, the cache true, unread counts right, and nothing for who was removed."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import datetime

import msgspec

from tests.system.chaos.record import Record, Removal, Timeline, Walk
from tests.system.chaos.replica import decode, replay
from tests.system.chaos.togglers import REVOKED_SECONDS
from tests.system.chaos.truth import Truth


def paging_is_complete(record: Record, truth: Truth) -> list[str]:
    """I4: walking messages, members or changes while writers run skips nothing and repeats nothing."""
    found = []
    for walk in record.walks:
        numbers = [number for number, _ in walk.items]
        if walk.kind == "messages":
            if numbers != list(range(walk.start + 1, walk.start + 1 + len(numbers))):
                found.append(f"I4: pages of messages after {walk.start} gave {numbers}")
            elif walk.reached < min(walk.at_least, walk.start + 300):
                found += _ended_early(record, walk)
        elif walk.kind == "changes":
            if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
                found.append(f"I4: pages of changes went back: {numbers}")
            if len(numbers) <= 200 and walk.reached < walk.at_least:
                found.append(f"I4: changes were complete at {walk.reached} of {walk.at_least}")
            if skipped := _newest_between(truth, walk) - set(numbers):
                found.append(f"I4: pages of changes after {walk.start} left out {sorted(skipped)[:5]}")
        else:
            met = Counter(key for _, key in walk.items)
            found += [f"I4: a member was met {times} times" for times in met.values() if times > 1]
            found += [f"I4: member {one} was skipped" for one in walk.needed if one not in met]
    return found


def _ended_early(record: Record, walk: Walk) -> list[str]:
    """What a process has committed without learning of it is on no page of the others until their next poll (I15)."""
    ended = f"I4: pages of messages ended at {walk.reached} of {walk.at_least}"
    acknowledged = [
        call.answer["seq"]
        for call in record.calls
        if call.verb in ("send", "send once") and call.conversation == walk.conversation
        if call.outcome == "ok" and call.answer is not None and call.ended < walk.began
    ]
    if missed := [seq for seq in acknowledged if walk.reached < seq <= walk.at_least]:
        return [f"{ended}, and {max(missed)} was acknowledged before"]
    return [] if walk.later >= walk.at_least else [f"{ended}, and 2 s later at {walk.later}"]


def _newest_between(truth: Truth, walk: Walk) -> set[int]:
    """Positions that stand to this day, so that no walk over them can have missed them for a later one."""
    one = truth.conversations[walk.conversation]
    positions = [*(row.position for row in one.rows), *one.others]
    return {position for position in positions if walk.start < position <= walk.reached}


def the_cache_never_lies(record: Record, truth: Truth) -> list[str]:
    """I15: a page equals what Postgres had at most 2 s before the request, or between request and response."""
    found = []
    for peek in record.peeks:
        where = f"I15: the newest page at {peek.node}"
        for seq, (position, text) in peek.page.items():
            before, after = peek.older.get(seq), peek.newer.get(seq)
            if before is not None and before[0] > position:
                found.append(f"{where} had message {seq} at {position}, which stood at {before[0]} 2 s before")
            elif after is None or after[0] < position:
                found.append(f"{where} had message {seq} at {position}, which Postgres does not know")
            elif any(one is not None and one[0] == position and one[1] != text for one in (before, after)):
                found.append(f"{where} had another text of message {seq}")
        if max(peek.older, default=0) > max(peek.page, default=0):
            found.append(f"{where} ended at {max(peek.page)}, and Postgres at {max(peek.older)} 2 s before")
        if peek.page and sorted(peek.page) != list(range(min(peek.page), max(peek.page) + 1)):
            found.append(f"{where} had holes: {sorted(peek.page)}")
    return found


def pages_are_true_in_the_quiet(record: Record, truth: Truth) -> list[str]:
    """I15: at the end the pages of every process equal Postgres."""
    found = []
    for one in truth.conversations.values():
        for node, page in one.pages.items():
            if page != one.fetched[-len(page) :]:
                found.append(f"I15: in the quiet the newest page at {node} is not the history's end")
        rows = {row.seq: row for row in one.rows}
        for page in one.pages.values():
            found += [
                f"I15: in the quiet message {message['seq']} is not as Postgres has it"
                for message in page
                if (row := rows.get(message["seq"])) is None
                or (row.id, row.position, row.text) != (message["id"], message["position"], message["text"])
            ]
    return found


def unread_converges(record: Record, truth: Truth) -> list[str]:
    """I8: every list's unread is the database's count."""
    found = []
    for user, lines in truth.lines.items():
        for conversation, line in lines.items():
            one = truth.conversations[conversation]
            unread = one.last_seq - one.read.get(user, 0)
            if (line["read_seq"], line["unread"]) != (one.read.get(user), unread):
                found.append(f"I8: {user} has {line['unread']} unread, and the database {unread}")
    return found


def cursors_never_move_back(record: Record, truth: Truth) -> list[str]:
    """I8: no user receives an older cursor than before, and the database keeps the newest."""
    found = []
    received: dict[tuple[str, str], list[tuple[float, float, int]]] = {}
    for call in record.of("read"):
        if call.outcome == "ok" and call.answer is not None:
            read = call.answer["read_seq"]
            if read < int(call.key):
                found.append(f"I8: marked up to {call.key}, told {read}")
            received.setdefault((call.user, call.conversation), []).append((call.began, call.ended, read))
    for (user, conversation), marks in received.items():
        highest = 0
        ended = sorted((end, read) for _, end, read in marks)
        at = 0
        for began, _, read in sorted(marks):
            while at < len(ended) and ended[at][0] < began:
                highest = max(highest, ended[at][1])
                at += 1
            if read < highest:
                found.append(f"I8: the cursor of {user} went back from {highest} to {read}")
        last = max(read for _, _, read in marks)
        one = truth.conversations.get(conversation)
        if one is not None and one.read.get(user, last) < last:
            found.append(f"I8: the cursor of {user} was told at {last} and is behind it")
    return found


def removal_cuts_off(record: Record, truth: Truth) -> list[str]:
    """I7: after a removal nothing is stored by them; 2 s later nothing newer reaches them, by socket or REST."""
    found = []
    for removal in record.removals:
        who = f"I7: {removal.user} was out, and"
        if removal.before is not None and removal.after is not None and removal.after > removal.before:
            found.append(f"{who} {removal.after - removal.before} of their messages were stored")
        found += [f"{who} {leak}" for leak in removal.leaks]
        for timeline in record.timelines:
            if timeline.user == removal.user:
                found += [
                    f"{who} {timeline.name} {received}" for received in _delivered_after(record, timeline, removal)
                ]
    return found


def deletion_ends_all(record: Record, truth: Truth) -> list[str]:
    """I7: no user finds a closed conversation; 2 s later no socket receives its events or holds it."""
    gone = {deletion.conversation: deletion.gone for deletion in record.deletions}
    found = [
        f"I7: {call.conversation} was closed, and a '{call.verb}' was answered {call.status}"
        for call in record.calls
        if call.verb in ("look after", "say after") and call.outcome == "ok"
    ]
    for timeline in record.timelines:
        held = gone.keys() & replay(timeline).held.keys()
        found += [f"I7: {one} was closed, and {timeline.name} still holds it" for one in held]
        for entry in timeline.entries:
            if entry.kind != "received" or not entry.data.startswith(b'{"type":"message.'):
                continue
            one = decode(entry.data).conversation
            if one in gone and entry.at - gone[one] > REVOKED_SECONDS * record.patience + record.stalled(
                gone[one], entry.at
            ):
                found.append(
                    f"I7: {one} was closed, and {timeline.name} was told of it {entry.at - gone[one]:.1f} s later"
                )
    return found


def _delivered_after(record: Record, timeline: Timeline, removal: Removal) -> list[str]:
    """Messages sent after the removal and delivered more than 2 s after it."""
    since = removal.gone + REVOKED_SECONDS * record.patience
    until = removal.back if removal.back is not None else float("inf")
    gone = datetime.fromisoformat(removal.at)
    found = []
    for entry in timeline.entries:
        if entry.kind != "received" or not since < entry.at < until:
            continue
        if not entry.data.startswith(b'{"type":"message.') or removal.conversation.encode() not in entry.data[:120]:
            continue
        frame = msgspec.json.decode(entry.data)
        said = datetime.fromisoformat(frame["data"]["updated_at"])
        if said > gone and entry.at - since > record.stalled(removal.gone, entry.at):
            found.append(f"was told message {frame['data']['seq']} {entry.at - removal.gone:.2f} s later")
    return found
