"""What clients see of people."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from app.domain.schemas import View

Adders = Literal["everybody", "contacts", "nobody"]


class Person(View, frozen=True, kw_only=True):
    """Somebody, as others see them. After closing an account: "deleted user"."""

    id: UUID
    first_name: str
    last_name: str


class Profile(View, frozen=True, kw_only=True):
    """Oneself. `who_may_add`: who may add one to groups and begin direct conversations with one."""

    id: UUID
    email: str
    first_name: str
    last_name: str
    is_active: bool
    who_may_add: Adders


class PersonPage(View, frozen=True, kw_only=True):
    items: list[Person]
    next: str | None
