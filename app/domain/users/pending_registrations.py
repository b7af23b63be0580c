from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select

from app.domain.users.email_addresses import spellings
from app.domain.users.models import Registration


def waiting(email: str) -> Select[*tuple[UUID, str, str]]:
    """The registrations of this address that may still be activated, newest first: `id, email, first_name`."""
    return (
        select(Registration.id, Registration.email, Registration.first_name)
        .where(of_address(email), Registration.expires_at > func.clock_timestamp())
        .order_by(Registration.id.desc())
    )


def of_address(email: str) -> ColumnElement[bool]:
    """Of `Registration`: wants this address, whatever its case and the spelling of its domain."""
    return func.lower(Registration.email).in_([func.lower(form) for form in spellings(email)])
