"""Finds users by name or exact e-mail. It reveals no address that the caller does not already have."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.cursors import IdKey, Keyset
from app.domain.error_catalogue import not_authenticated, user_not_found
from app.domain.orm import AnyRow, has_trigram, like, matching
from app.domain.users.account_status import account_is_open
from app.domain.users.caller import Caller
from app.domain.users.email_addresses import owned_by
from app.domain.users.models import User
from app.domain.users.schemas import Person, PersonPage, Profile
from app.domain.validation import clean_search

SHORTEST, LONGEST = 2, 254

PROFILE = (User.id, User.email, User.first_name, User.last_name, User.is_active, User.who_may_add)

_KEYSET = Keyset("person", IdKey)


async def find(
    session: AsyncSession, caller: Caller, *, search: str | None, limit: int, cursor: str | None
) -> PersonPage:
    """Returns users whose name matches `search`, ignoring case, and the owner of exactly that e-mail; oldest accounts
    first. Without `search`, only the caller.

    Raises:
        Invalid: `search` is shorter than 2 characters, or the cursor belongs to another list.
    """
    wanted = User.id == caller.user if search is None else matches(search)
    people = select(User.id, User.first_name, User.last_name).where(wanted, account_is_open())
    # Find first, then sort: otherwise the planner would scan all users in id order, oldest first.
    found = people.cte("found").prefix_with("MATERIALIZED")
    query = select(found)
    if (after := _KEYSET.key(cursor)) is not None:
        query = query.where(found.c.id > after.id)
    rows = (await session.execute(query.order_by(found.c.id).limit(limit + 1))).all()
    if search is None and not rows and after is None:
        raise not_authenticated()
    shown, following = _KEYSET.page(rows, limit, lambda row: IdKey(row.id))
    items = [Person(id=row.id, first_name=row.first_name, last_name=row.last_name) for row in shown]
    return PersonPage(items=items, next=following)


async def owner_of(session: AsyncSession, email: str) -> UUID:
    """Returns the owner of this address, for operators. Raises NotFound `unknown_user`."""
    found: UUID | None = await session.scalar(select(User.id).where(owned_by(email)))
    if found is None:
        raise user_not_found()
    return found


def matches(search: str) -> ColumnElement[bool]:
    """Condition on `User`: the name matches (see `matching`), or the e-mail is exactly `search`. Raises Invalid."""
    search = clean_search(search.strip(), LONGEST, SHORTEST)
    # The same expression as in the trigram index, or the index would not be used.
    name = User.first_name + literal_column("' '") + User.last_name
    pattern = matching(search)
    # Last names have only a prefix index: one condition without an index makes Postgres read every row.
    by_last_name = [] if has_trigram(search) else [like(User.last_name, pattern)]
    return or_(like(name, pattern), *by_last_name, owned_by(search))


def profile_of(row: AnyRow) -> Profile:
    """Builds the view from a row of `PROFILE`."""
    return Profile(
        id=row.id,
        email=row.email,
        first_name=row.first_name,
        last_name=row.last_name,
        is_active=row.is_active,
        who_may_add=row.who_may_add,
    )
