"""Rows made up by polyfactory, with the fields that matter to a test named by the test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from polyfactory import Use
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory

from app.domain.conversations.models import Conversation, Membership
from app.domain.orm import BUCKET_SECONDS, uuid7
from app.domain.users.models import LoginSession, User

T = TypeVar("T")


def now() -> datetime:
    return datetime.now(UTC)


class RowFactory(SQLAlchemyFactory[T]):
    """Times are now and in UTC; ten-second buckets are the present one; nothing related is made up."""

    __is_base_factory__ = True
    __set_relationships__ = False
    __set_foreign_keys__ = False

    @classmethod
    def get_provider_map(cls) -> dict[Any, Callable[[], Any]]:
        return super().get_provider_map() | {datetime: now}


def bucket() -> int:
    return int(now().timestamp() // BUCKET_SECONDS)


class UserFactory(RowFactory[User]):
    """An account that may log in; its password is nothing anybody can type."""

    id = Use(uuid7)
    email = Use(lambda: f"{uuid7()}@example.org")
    first_name = Use(lambda: UserFactory.__faker__.first_name())
    last_name = Use(lambda: UserFactory.__faker__.last_name())
    password_hash = "!"
    is_active = True
    is_operator = False
    who_may_add = "everybody"
    suspended_at = None
    closed_at = None


class LoginSessionFactory(RowFactory[LoginSession]):
    """A login that lives for a day; name its `user_id`."""

    id = Use(uuid7)
    generation = 1
    expires_at = Use(lambda: now() + timedelta(days=1))
    address = "127.0.0.1"
    user_agent = "tests"
    revoked_at = None
    revoked_bucket = None


class ConversationFactory(RowFactory[Conversation]):
    """An empty private group; name `created_by` and `creator_id`."""

    id = Use(uuid7)
    kind = "group"
    name = Use(lambda: ConversationFactory.__faker__.catch_phrase()[:100])
    is_private = True
    direct_key = None
    deleted_at = None
    last_seq = 0
    position = 1
    meta_position = 1
    edited_position = 0
    changed_by = None
    member_count = 1
    active_bucket = Use(bucket)


class MembershipFactory(RowFactory[Membership]):
    """A plain member since the beginning; name `conversation_id` and `user_id`."""

    role = "member"
    left_at = None
    ended = None
    joined_seq = 0
    read_seq = 0
    hidden_seq = -1
    created_position = 1
    position = 1
    was_added = False
    changed_bucket = Use(bucket)
    changed_by = None
