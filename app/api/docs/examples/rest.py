"""Examples for the OpenAPI document: a short story of Ada, Grace and Linus. Responses are built from the views.

`tests/api/docs/test_openapi.py` validates each against its schema, and `test_openapi_answers.py` beside it sends the
bodies to a running chat.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from app.api.about import LINKS, FrontPage
from app.api.accounts.logins import Valid
from app.api.docs.examples import operators, throttling
from app.api.health import Liveness, Readiness
from app.api.notifications import Unsubscribed
from app.domain.accounts.registration import RegistrationResult
from app.domain.accounts.schemas import RegistrationRules
from app.domain.auth.logins import LoggedIn
from app.domain.auth.schemas import Login, LoginPage, Ticket
from app.domain.auth.second_factors import Enrolment, RecoveryCodes, State
from app.domain.auth.tokens import TokenPair
from app.domain.conversations.schemas import Member, MemberPage, ReadState
from app.domain.inbox.schemas import ConversationDetail, ConversationPage, ConversationSummary
from app.domain.invites.schemas import InviteOffer
from app.domain.messages.schemas import Change, ChangePage, Message, MessageDetail, MessagePage, SeenBy
from app.domain.notifications.schemas import (
    Attention,
    Notification,
    NotificationDecision,
    NotificationDecisions,
    NotificationPage,
)
from app.domain.users.schemas import Person, PersonPage, Profile

NINE: Final = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
TOKEN: Final = "eyJhbGciOiJIUzI1NiJ9.eyJ0eXBlIjoi4oCmIn0.c2lnbmVk"  # noqa: S105 - not signed
PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - a published example
MAILED: Final = "pmvOaZ0cH7pQbDCg6sTtbBkX8n1Zq5yRwJ3kLhU9e2A"
BASE32: Final = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
CURSOR: Final = "eyJpZCI6IjAxOTk5N2IwIn0"


def _id(number: int) -> UUID:
    return UUID(f"0199a7b0-7000-7000-8000-{number:012x}")


CONVERSATION, DIRECT, MESSAGE, LOGIN = _id(1), _id(2), _id(3), _id(4)
ADA = Person(id=_id(10), first_name="Ada", last_name="Lovelace")
GRACE = Person(id=_id(11), first_name="Grace", last_name="Hopper")
LINUS = Person(id=_id(12), first_name="Linus", last_name="Torvalds")

_profile = Profile(
    id=ADA.id,
    email="ada@example.org",
    first_name="Ada",
    last_name="Lovelace",
    is_active=True,
    who_may_add="everybody",
)
_pair = TokenPair(access=TOKEN, refresh=TOKEN)
_login = Login(
    id=LOGIN,
    created_at=NINE,
    last_used_at=NINE + timedelta(minutes=15),
    expires_at=NINE + timedelta(days=30),
    address="203.0.113.7",
    user_agent="chat-example/1.0",
    current=True,
)
_message = Message(
    id=MESSAGE,
    conversation=CONVERSATION,
    seq=12,
    position=17,
    sent_by=ADA,
    message_type="text",
    text="The engine is on the bench.",
    media_url="",
    client_id="7f3c",
    reply_to=11,
    sent_at=NINE,
    updated_at=NINE,
    deleted_at=None,
)
_notification = Notification(
    id=_id(20),
    conversation=CONVERSATION,
    kind="mention",
    from_seq=9,
    up_to_seq=12,
    created_at=NINE + timedelta(seconds=35),
    updated_at=NINE + timedelta(seconds=35),
    is_read=False,
)
_members = [
    Member(user=ADA, role="admin", joined_at=NINE - timedelta(days=1), left_at=None, read_seq=12),
    Member(user=GRACE, role="member", joined_at=NINE - timedelta(hours=2), left_at=None, read_seq=11, by=ADA),
]
_summary = ConversationSummary(
    id=CONVERSATION,
    kind="group",
    name="Engine room",
    is_private=True,
    creator=ADA.id,
    peer=None,
    role="admin",
    unread=0,
    last_seq=12,
    read_seq=12,
    position=17,
    last_message=_message,
    updated_at=NINE,
)
_public = msgspec.structs.replace(
    _summary,
    id=_id(5),
    name="Reading club",
    is_private=False,
    creator=LINUS.id,
    role=None,
    last_message=None,
    read_seq=0,
)


def _opened(summary: ConversationSummary, members: list[Member]) -> ConversationDetail:
    return ConversationDetail(
        **msgspec.structs.asdict(summary),
        created_by=summary.creator,
        created_at=NINE - timedelta(days=1),
        members=members,
        member_count=len(members),
    )


_new = msgspec.structs.replace(_summary, last_seq=0, read_seq=0, position=2, last_message=None)
_direct = msgspec.structs.replace(_new, id=DIRECT, kind="direct", name="", peer=GRACE, role="member", position=3)

ANSWERS: Final[Mapping[str, msgspec.Struct]] = {
    type(example).__name__: example
    for example in (
        FrontPage(name="chat", version="1.0.0", links=LINKS),
        _profile,
        LoggedIn(access=TOKEN, refresh=TOKEN, user=_profile),
        _pair,
        Valid(),
        RegistrationResult(),
        RegistrationRules(mode="invite"),
        InviteOffer(valid_until=NINE + timedelta(days=7), note=operators.INVITE_NOTE),
        Enrolment(secret=BASE32, uri=f"otpauth://totp/Chat:ada%40example.org?secret={BASE32}&issuer=Chat"),
        RecoveryCodes(["k3mz-q5xw-7b2n-tfya", "p6qd-m2vr-x4hs-zj7c"]),
        State(enabled=True, recovery_codes_left=10),
        LoginPage(items=[_login], next=None),
        Ticket(ticket="pX2m9cQ0rT8kVb3nW5yZ1aD7fG4hJ6lE", expires_in=30),
        PersonPage(items=[GRACE], next=CURSOR),
        ConversationPage(items=[_summary], next=CURSOR),
        _opened(_summary, _members),
        MemberPage(items=_members, next=None),
        ReadState(read_seq=12, unread=0),
        ChangePage(
            items=[Change(type="message.created", position=17, data=msgspec.Raw(msgspec.json.encode(_message)))],
            position=17,
            complete=True,
        ),
        _message,
        MessagePage(items=[_message], position=17, has_more=True),
        MessageDetail(**msgspec.structs.asdict(_message), seen_by=SeenBy(count=2, users=[ADA, GRACE])),
        NotificationPage(items=[_notification], next=None),
        Attention(level="mentions", muted_until=None, mails=True),
        Unsubscribed(),
        NotificationDecisions(
            items=[
                NotificationDecision(channel="mail", outcome="present", decided_at=NINE + timedelta(seconds=35)),
                NotificationDecision(channel="app", outcome="sent", decided_at=NINE + timedelta(seconds=35)),
            ]
        ),
        Readiness(ready=True),
        *operators.ANSWERS,
        *throttling.ANSWERS,
    )
}
"""Example responses by schema name."""

SPECIAL: Final[Mapping[tuple[str, str], Any]] = {
    ("register", "201"): _profile,
    ("register", "202"): RegistrationResult(),
    ("createConversation", "201"): _opened(_new, _members[:1]),
    ("createConversation", "200"): _opened(_direct, _members),
    ("discoverConversations", "200"): ConversationPage(items=[_public], next=None),
    ("livez", "200"): Liveness(),
    ("readyz", "503"): Readiness(ready=False, reason="postgres"),
}
"""Exceptions to `ANSWERS`, by operation and status."""

BODIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "register": {
        "ada": {"email": _profile.email, "password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace"},
    },
    "checkInvite": {"token": {"token": operators.INVITE_TOKEN}},
    "logIn": {
        "ada": {"email": _profile.email, "password": PASSWORD},
        "second factor": {"email": _profile.email, "password": PASSWORD, "code": "492039"},
    },
    "refreshTokens": {"refresh": {"refresh": TOKEN}},
    "verifyToken": {"token": {"token": TOKEN}},
    "activate": {"token": {"token": MAILED}},
    "resendActivation": {"ada": {"email": _profile.email}},
    "forgotPassword": {"ada": {"email": _profile.email}},
    "chooseNewPassword": {"token": {"token": MAILED, "new_password": "analytical-engine"}},
    "confirmEmail": {"token": {"token": MAILED}},
    "changeMyEmail": {"new": {"new_email": "countess@example.org", "current_password": PASSWORD}},
    "closeMyAccount": {"sure": {"current_password": "analytical-engine"}},
    "enrolSecondFactor": {"ada": {"current_password": PASSWORD}},
    "confirmSecondFactor": {"code": {"code": "492039"}},
    "disableSecondFactor": {"ada": {"current_password": PASSWORD, "code": "492039"}},
    "renewRecoveryCodes": {"ada": {"current_password": PASSWORD, "code": "492039"}},
    "changePassword": {"change": {"current_password": PASSWORD, "new_password": "analytical-engine"}},
    "changeMyNames": {"one": {"first_name": "Augusta"}},
    "replaceMyNames": {"both": {"first_name": "Augusta", "last_name": "King"}},
    "markNotificationsRead": {"some": {"ids": [str(_id(20))]}, "all": {"all": True}},
    "setAttention": {
        "mentions": {"level": "mentions"},
        "quiet": {"level": "all", "muted_until": "2026-05-05T07:00:00Z", "mails": False},
    },
    "unsubscribe": {"token": {"token": MAILED}},
    "createConversation": {
        "group": {"name": "Engine room", "is_private": True},
        "direct": {"kind": "direct", "user": str(GRACE.id)},
    },
    "changeConversation": {"rename": {"name": "Engine hall"}, "open": {"is_private": False}},
    "addMember": {"grace": {"user": str(GRACE.id)}},
    "removeMember": {"grace": {"user": str(GRACE.id)}},
    "makeAdmin": {"grace": {"user": str(GRACE.id)}},
    "removeAdmin": {"grace": {"user": str(GRACE.id)}},
    "markRead": {"seq": {"seq": 12}},
    "hideConversation": {"hide": {"hidden": True}},
    "markMessagesRead": {"newest": {"data": [{"message": str(MESSAGE), "seen_at": "2026-05-04T09:00:05Z"}]}},
    "sendMessage": {
        "text": {"message_type": "text", "text": "The engine is on the bench.", "client_id": "7f3c"},
        "reply": {"message_type": "text", "text": "On its way.", "client_id": "7f3d", "reply_to": 12},
        "image": {"message_type": "image", "media_url": "https://example.org/moth.jpg", "client_id": "7f3e"},
    },
    "editMessage": {
        "text": {"text": "The engine is on the table."},
        "image": {"media_url": "https://example.org/2.jpg"},
    },
    "replaceMessage": {"text": {"text": "The engine is on the table."}},
    **operators.BODIES,
    **throttling.BODIES,
}
"""Example bodies by operation and example name."""

PARAMETERS: Final[Mapping[str, tuple[str, Any]]] = {
    "conversation_id": ("The conversation's `id`.", str(CONVERSATION)),
    "message_id": ("The message's `id`.", str(MESSAGE)),
    "login_id": ("The login's `id`, as `GET /sessions/` lists it.", str(LOGIN)),
    "token": ("The token from the mail.", MAILED),
    "search": ("Part of the name.", "engine"),
    "cursor": ("`next` of the previous page; opaque.", CURSOR),
    "limit": ("Maximum number of items.", 50),
    "before": ("Returns the page that ends just before this `seq`.", 12),
    "after": ("Returns the page that follows this one.", 12),
    "around": ("Returns the page with this `seq` in its middle.", 12),
    "Idempotency-Key": ("Same as `client_id` in the body; 400 if both are given and differ.", "7f3c"),
    **operators.PARAMETERS,
    **throttling.PARAMETERS,
}
"""(description, example) by parameter name, for routes that declare none."""
