"""All models in one metadata, the reference for migrations and the schema document."""

from __future__ import annotations

from app.domain.audit import models as audit
from app.domain.broadcasts import models as broadcasts
from app.domain.conversations import models as conversations
from app.domain.jobs import models as jobs
from app.domain.mails import models as mails
from app.domain.messages import models as messages
from app.domain.notifications import models as notifications
from app.domain.orm import metadata
from app.domain.throttling import models as throttling
from app.domain.users import models as users

__all__ = [
    "audit",
    "broadcasts",
    "conversations",
    "jobs",
    "mails",
    "messages",
    "metadata",
    "notifications",
    "throttling",
    "users",
]
