"""Examples of operator requests and responses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from app.domain.audit.schemas import AuditPage, AuditRecord
from app.domain.broadcasts.schemas import Broadcast, BroadcastPage, MailProgress
from app.domain.invites.schemas import InvitePage, InviteRecord, NewInvite
from app.domain.jobs.schemas import FailedTask, FailedTaskPage, QueueReport, QueueState
from app.domain.notifications.schemas import NotificationDecision
from app.domain.operators.live_figures import (
    CacheFigures,
    DeliveryFigures,
    LiveFigures,
    MailFigures,
    PostgresFigures,
    RedisFigures,
)
from app.domain.operators.schemas import (
    AccountPage,
    AccountRecord,
    ConversationRecord,
    ConversationRecordPage,
    MessageTrace,
    TraceRecipient,
    TraceRecipientPage,
)
from app.domain.users.schemas import Person

_NINE: Final = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
_FAILED: Final = UUID("0199a7b0-7000-7000-8000-000000000030")
_failed = FailedTask(
    id=_FAILED,
    task="chat.cache.rebuild",
    arguments=["0199a7b0-7000-7000-8000-000000000001"],
    queue="cache",
    reason="failed",
    error="Away at app/redis/client.py:78 in call",
    worker="celery@chat-1",
    attempts=6,
    times=1,
    first_failed_at=_NINE,
    failed_at=_NINE,
    asked_at=None,
)

TEN: Final = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)


def _id(number: int) -> UUID:
    return UUID(f"0199a7b0-7000-7000-8000-{number:012x}")


ROOT, SPAMMER = _id(40), _id(41)

_broadcast = Broadcast(
    id=_id(44),
    state="mailing",
    title="Maintenance tonight",
    text="The chat is away from 22:00 to 22:10 UTC.",
    to="everybody",
    conversations=[],
    created_by=ROOT,
    created_at=TEN,
    send_at=TEN,
    sent_at=TEN,
    expires_at=TEN + timedelta(days=30),
    canceled_at=None,
    mails_per_second=10,
    mails=MailProgress(planned=1200, posted=450, sent=431, refused=2, unknown=0, dropped=1),
)

INVITE_TOKEN: Final = "9xQfJ2mTn0VYw8sKcB4rD6uHa1Lz7PgE3oNiX5tWq_E"  # noqa: S105 - a published example
INVITE_NOTE: Final = "For the reading club"
_invite = InviteRecord(
    id=_id(45),
    state="open",
    note=INVITE_NOTE,
    for_one_address=False,
    max_uses=20,
    uses=3,
    created_by=ROOT,
    created_at=TEN,
    expires_at=TEN + timedelta(days=7),
)
_queues: Final = [
    QueueState(name="notifications", waiting=12, oldest=3.2, running=2, per_minute=41.6, retried=1, failed=0),
    QueueState(name="upkeep", waiting=0, oldest=None, running=0, per_minute=12.4, retried=0, failed=0),
]
_ada: Final = Person(id=_id(48), first_name="Ada", last_name="Lovelace")
_linus: Final = Person(id=_id(46), first_name="Linus", last_name="Pauling")

ANSWERS: Final[tuple[msgspec.Struct, ...]] = (
    QueueReport(queues=_queues, workers=["celery@chat-1"]),
    LiveFigures(
        at=TEN,
        complete=True,
        processes=2,
        sockets=1204,
        sends_per_second=41.6,
        frames_per_second=3120.5,
        delivery=DeliveryFigures(measured=2496, p50=3.1, p99=12.4),
        repairs={"repaired": 3},
        throttled=7,
        cache=CacheFigures(reads=1200, hits=1117, share=0.931),
        postgres=PostgresFigures(up=True, connections=36, in_use=4, waiting=0),
        redis=RedisFigures(up=True, broker_up=True, failures=0),
        queues=_queues,
        workers=["celery@chat-1"],
        beat=2.4,
        failed_tasks=1,
        mails=MailFigures(waiting=3, postponed=1, oldest=41.0, failing=False),
    ),
    MessageTrace(
        id=_id(47),
        conversation=_id(43),
        kind="group",
        message_type="text",
        sent_by=_ada,
        seq=340,
        created_position=352,
        position=352,
        sent_at=TEN,
        updated_at=TEN,
        deleted_at=None,
        published="not_recorded",
        cached="held",
        recipients=11,
        readers=9,
        undecided=0,
        members=TraceRecipientPage(
            items=[
                TraceRecipient(
                    user=_linus,
                    left_at=None,
                    read_seq=338,
                    read=False,
                    decided=True,
                    decisions=[NotificationDecision(channel="app", outcome="sent", decided_at=TEN)],
                )
            ],
            next=None,
        ),
    ),
    _failed,
    FailedTaskPage(items=[_failed], next=None),
    AuditPage(
        items=[
            AuditRecord(
                id=_id(42), at=TEN, by=ROOT, action="account.suspended", subject=SPAMMER, details={"reason": "spam"}
            )
        ],
        next=None,
    ),
    _broadcast,
    BroadcastPage(items=[_broadcast], next=None),
    NewInvite(
        **(msgspec.structs.asdict(_invite) | {"uses": 0}),
        token=INVITE_TOKEN,
        link=f"https://chat.example.org/#/invite/{INVITE_TOKEN}",
    ),
    InvitePage(items=[_invite], next=None),
    AccountPage(
        items=[
            AccountRecord(
                id=SPAMMER,
                first_name="Mallory",
                last_name="Example",
                created_at=TEN,
                activated=True,
                operator=False,
                suspended_at=TEN,
                closed_at=None,
                conversations=3,
                logins=0,
                last_used_at=None,
            )
        ],
        next=None,
    ),
    ConversationRecordPage(
        items=[
            ConversationRecord(
                id=_id(43),
                kind="group",
                name="Engine room",
                is_private=True,
                creator=SPAMMER,
                created_at=TEN,
                updated_at=TEN,
                deleted_at=None,
                members=12,
                messages=340,
            )
        ],
        next=None,
    ),
)

BODIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "suspendAccount": {"spam": {"reason": "Spam in eight conversations"}},
    "createInvite": {
        "one account": {"max_uses": 1},
        "a club": {"max_uses": 20, "expires_in_hours": 168, "note": INVITE_NOTE},
        "one address": {"email": "grace@example.org"},
    },
    "planBroadcast": {
        "now": {"title": _broadcast.title, "text": _broadcast.text, "to": "everybody"},
        "by mail": {
            "title": _broadcast.title,
            "text": _broadcast.text,
            "to": "operators",
            "mail": True,
            "mails_per_second": 50,
        },
    },
}

PARAMETERS: Final[Mapping[str, tuple[str, Any]]] = {
    "failed_id": ("The failed task's `id`.", str(_FAILED)),
    "user_id": ("The account's `id`.", str(SPAMMER)),
    "invite_id": ("The invite's `id`.", str(_invite.id)),
    "broadcast_id": ("The broadcast's `id`.", str(_broadcast.id)),
}
