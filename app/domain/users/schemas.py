"""Views of users, as clients see them."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from app.domain.schemas import View

Adders = Literal["everybody", "contacts", "nobody"]


class Person(View, frozen=True, kw_only=True):
    """A user, as others see them. After an account is closed: "deleted user"."""

    id: UUID
    first_name: str
    last_name: str


class Profile(View, frozen=True, kw_only=True):
    """The caller's own account. `who_may_add`: who may add the caller to groups and start direct conversations."""

    id: UUID
    email: str
    first_name: str
    last_name: str
    is_active: bool
    who_may_add: Adders


class PersonPage(View, frozen=True, kw_only=True):
    items: list[Person]
    next: str | None
