"""The reference client: a Python implementation of the client rules in docs/realtime.md.

async with Chat("https://chat.example.org").logged_in(email, password) as chat:
    async for event in chat.events():
        ...
"""

from chat_client import events
from chat_client.chat import Chat
from chat_client.errors import ChatError, Closed, LoginEnded, OutcomeUnknown, Refused, Throttled, Unreachable
from chat_client.rows import Broadcast, Conversation, Member, Message, Notification, Person

__all__ = [
    "Broadcast",
    "Chat",
    "ChatError",
    "Closed",
    "Conversation",
    "LoginEnded",
    "Member",
    "Message",
    "Notification",
    "OutcomeUnknown",
    "Person",
    "Refused",
    "Throttled",
    "Unreachable",
    "events",
]
