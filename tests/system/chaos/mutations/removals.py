"""Defects of removal: a removed member still receives events, or still reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.domain.conversations.access import MembershipKey
from app.domain.conversations.recent_changes import ConversationHead
from app.domain.errors import ChatError
from app.domain.events import LogChange
from app.realtime.connection.connection import Connection
from app.realtime.hub.hub import Hub
from app.realtime.hub.room import Room
from app.store.local_conversation_cache import CachedConversation, ConversationCache
from tests.system.chaos.checks import reading
from tests.system.chaos.mutations.declared import fire, mutation, replace


@mutation("I7", reading.removal_cuts_off, seconds=14.0)
def removed_still_hear() -> None:
    """The sockets of a removed member keep receiving events."""

    def ignore(self: Hub, room: Room, connections: Sequence[Connection], change: LogChange) -> None:
        fire(len(connections))

    replace(Hub, "_revoke", lambda _: ignore)


@mutation("I7", reading.removal_cuts_off, seconds=14.0)
def removed_still_read() -> None:
    """Any user may read the pages that a member has read."""
    seen: dict[UUID, ConversationHead] = {}

    def remembering(asking: Any) -> Any:
        async def answer(
            self: ConversationCache, pairs: Sequence[MembershipKey]
        ) -> Sequence[ConversationHead | ChatError]:
            heads = list(await asking(self, pairs))
            for at, (pair, head) in enumerate(zip(pairs, heads, strict=True)):
                if isinstance(head, ConversationHead):
                    seen[pair.conversation] = head
                elif pair.conversation in seen:
                    fire()
                    heads[at] = seen[pair.conversation]
            return heads

        return answer

    replace(ConversationCache, "_query_heads", remembering)


@mutation("I7", reading.removal_cuts_off, seconds=14.0)
def removed_are_known() -> None:
    """A process's cached access follows a removal as if it were a message."""

    def follow(self: CachedConversation, change: LogChange) -> bool:
        fire(change.type.startswith("member."))
        self.head = ConversationHead(change.conversation, change.position, change.last_seq, change.edited)
        return True

    replace(CachedConversation, "advance", lambda _: follow)
