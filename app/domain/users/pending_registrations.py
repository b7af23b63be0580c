"""Registrations that wait for activation."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select

from app.domain.users.email_addresses import spellings
from app.domain.users.models import PendingRegistration


def pending_registrations(email: str) -> Select[*tuple[UUID, str, str]]:
    """Selects the unexpired registrations of this address, newest first: `id, email, first_name`."""
    return (
        select(PendingRegistration.id, PendingRegistration.email, PendingRegistration.first_name)
        .where(has_address(email), PendingRegistration.expires_at > func.clock_timestamp())
        .order_by(PendingRegistration.id.desc())
    )


def has_address(email: str) -> ColumnElement[bool]:
    """Condition on `PendingRegistration`: this address, in any case and either spelling of its domain."""
    return func.lower(PendingRegistration.email).in_([func.lower(form) for form in spellings(email)])
