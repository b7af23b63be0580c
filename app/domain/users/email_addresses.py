"""E-mail addresses: validated, stored as written, compared without case (by Postgres's `lower`).

A domain has two spellings, one for people and one for servers (`bücher.example`, `xn--bcher-kva.example`): an address
is stored with the first and names the same account with either.

Look-alike letters are refused: Postgres lowers `İ` to an i and `K` (the Kelvin sign) to a k, so the owner of
`gİthub.example` would receive the tokens of accounts at `github.example` (CVE-2019-19844).
"""

from __future__ import annotations

import hashlib
import re
from unicodedata import normalize

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.domain.users.idna_domains import to_ascii, to_unicode
from app.domain.users.models import User
from app.domain.validation import clean, field_error

MAX_EMAIL_LENGTH = 254
"""Octets (RFC 5321, 4.5.3.1.3, less the angle brackets)."""

_SHAPE = re.compile(r"""(?P<local>[^\s@<>()\[\],;:\\"]{1,64})@(?P<domain>[^\s@.]+(?:\.[^\s@.]+)+)""")

_OTHER_ACCOUNT = aliased(User, name="twin")


def check_email(email: str, field: str = "email") -> str:
    """Returns `email` in its stored form: without surrounding blanks, its domain as people read it.

    Only a mail can show whether the mailbox is read.

    Raises:
        Invalid: naming `field`.
    """
    email = clean(email.strip(), field, MAX_EMAIL_LENGTH, one_line=True)
    shape = _SHAPE.fullmatch(email)
    if shape is None or ".." in email or shape["local"][0] == "." == shape["local"][0]:
        raise field_error(field, "Must be an e-mail address.")
    # RFC 2606: no such domain exists. Addresses of closed accounts end like this; a new account must not have one.
    if shape["domain"].lower().endswith(".invalid"):
        raise field_error(field, "Must not end with .invalid: no such address exists.")
    # `=?` begins an encoded word in a header (RFC 2047), which would decode to another address.
    if not _is_plain(email) or not email.isprintable() or "=?" in email:
        raise field_error(field, "Must not contain characters that pass for others.")
    try:
        kept, wire = f"{shape['local']}@{to_unicode(shape['domain'])}", f"{shape['local']}@{to_ascii(shape['domain'])}"
    except UnicodeError:
        raise field_error(field, "Must have a valid domain (IDNA 2008).") from None
    if max(len(kept.encode()), len(wire.encode())) > MAX_EMAIL_LENGTH:
        raise field_error(field, f"Must have at most {MAX_EMAIL_LENGTH} bytes.")
    if not _is_plain(kept):
        raise field_error(field, "Must not contain characters that pass for others.")
    return kept


def owned_by(email: str) -> ColumnElement[bool]:
    """Condition on `User`: has this address, in any case and either spelling of the domain. Addresses that cannot be
    registered match no account.

    Of two old accounts that differ only in spelling, it matches the one written like `email`.
    """
    forms = spellings(email)
    found = [
        and_(func.lower(User.email) == func.lower(form), *(~_is_taken(better) for better in forms[:place]))
        for place, form in enumerate(forms)
    ]
    return or_(*found) if len(found) > 1 else found[0]


async def is_taken_in_other_spelling(session: AsyncSession, email: str) -> bool:
    """Returns whether an account has this address in another spelling, which the unique index does not cover.

    Only old accounts have such addresses and none can be created, so this check cannot race.
    """
    _, *others = spellings(email)
    return bool(others) and bool(await session.scalar(select(or_(*(_is_taken(other) for other in others)))))


def key_of(email: str) -> str:
    """Returns the lookup key of a typed address; empty for one that no account can have."""
    email = email.strip()
    return email if _is_plain(email) else ""


def spellings(email: str) -> list[str]:
    """Returns the typed address, then the other spellings of its domain: nearly always none. For an address that no
    account can have, an empty text."""
    typed = key_of(email)
    local, _, domain = typed.rpartition("@")
    try:
        forms = [typed, f"{local}@{to_unicode(domain)}", f"{local}@{to_ascii(domain)}"]
    except UnicodeError:
        return [typed]
    by_case: dict[str, str] = {}
    for form in forms:
        by_case.setdefault(form.lower(), form)
    return list(by_case.values())


def canonical(email: str) -> str:
    """Returns the one form for all spellings of an address, for counting: lower case, domain as people read it."""
    local, _, domain = key_of(email).lower().rpartition("@")
    try:
        return f"{local}@{to_unicode(domain)}"
    except UnicodeError:
        return key_of(email).lower()


def mailbox_of(email: str) -> str:
    """Guesses the mailbox of an address: without the part after a +, without dots, in lower case.

    For limits only. At some providers these are different people, who then share a limit.
    """
    local, _, domain = canonical(email).rpartition("@")
    return f"{local.partition('+')[0].replace('.', '') or local}@{domain}"


def digest_of(account: str) -> str:
    """Returns the counting key of an account, by address or id, in any spelling. It keeps addresses out of Redis."""
    return hashlib.sha256(canonical(account).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _is_taken(email: str) -> ColumnElement[bool]:
    return exists().where(func.lower(_OTHER_ACCOUNT.email) == func.lower(email))


def _is_plain(email: str) -> bool:
    """Returns whether no letter is a variant of another or becomes an ASCII one in the other case."""
    return normalize("NFKC", email) == email and all(
        letter.isascii() or not any(lowered.isascii() for lowered in letter.lower()) for letter in email
    )
