"""E-mail addresses: checked for sense, kept as written, compared without case (by Postgres's `lower`).

A domain has two spellings, the one people read and the one servers know (`bücher.example`, `xn--bcher-kva.example`):
an address is kept with the first, and is the same account with either.

Letters that only look like others are refused: for Postgres `İ` is an i in capitals, and `K` (the Kelvin sign) a k, so
that who owns `gİthub.example` would be mailed the tokens of accounts at `github.example` (CVE-2019-19844).
"""

from __future__ import annotations

import hashlib
import re
from unicodedata import normalize

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.domain.users.mail_domains import to_ascii, to_unicode
from app.domain.users.models import User
from app.domain.validation import clean, wrong

MAX_EMAIL_LENGTH = 254
"""Octets (RFC 5321, 4.5.3.1.3, less the angle brackets)."""

_SHAPE = re.compile(r"""(?P<local>[^\s@<>()\[\],;:\\"]{1,64})@(?P<domain>[^\s@.]+(?:\.[^\s@.]+)+)""")

_TWIN = aliased(User, name="twin")


def check_email(email: str, field: str = "email") -> str:
    """`email` as it is kept, once it can be one: without blanks around it, its domain as people read it.

    Whether mail to it is read, only a mail can show.

    Raises:
        Invalid: naming `field`.
    """
    email = clean(email.strip(), field, MAX_EMAIL_LENGTH, one_line=True)
    shape = _SHAPE.fullmatch(email)
    if shape is None or ".." in email or shape["local"][0] == "." == shape["local"][0]:
        raise wrong(field, "Is not an e-mail address.")
    # RFC 2606: no mail is read there. Addresses of closed accounts end so, and an account cannot have one of those.
    if shape["domain"].lower().endswith(".invalid"):
        raise wrong(field, "Addresses that end with .invalid do not exist.")
    # `=?` begins an encoded word in a header (RFC 2047): the address in it would be another one.
    if not _is_plain(email) or not email.isprintable() or "=?" in email:
        raise wrong(field, "Contains characters that pass for others.")
    try:
        kept, wire = f"{shape['local']}@{to_unicode(shape['domain'])}", f"{shape['local']}@{to_ascii(shape['domain'])}"
    except UnicodeError:
        raise wrong(field, "The domain of this address is not a valid one (IDNA 2008).") from None
    if max(len(kept.encode()), len(wire.encode())) > MAX_EMAIL_LENGTH:
        raise wrong(field, f"Is longer than {MAX_EMAIL_LENGTH} bytes.")
    if not _is_plain(kept):
        raise wrong(field, "Contains characters that pass for others.")
    return kept


def owned_by(email: str) -> ColumnElement[bool]:
    """Of `User`: has this address, whatever its case, and whichever spelling of the domain. Nobody has one that could
    not be registered.

    Of two old accounts that differ in the spelling alone, it is the one whose address is written like `email`.
    """
    forms = spellings(email)
    found = [
        and_(func.lower(User.email) == func.lower(form), *(~_is_had(better) for better in forms[:place]))
        for place, form in enumerate(forms)
    ]
    return or_(*found) if len(found) > 1 else found[0]


async def is_had_otherwise(session: AsyncSession, email: str) -> bool:
    """Whether an account has this address in another spelling, which the unique index does not see.

    Only addresses that were registered before spellings were one: none is made any more, so that nothing races.
    """
    _, *others = spellings(email)
    return bool(others) and bool(await session.scalar(select(or_(*(_is_had(other) for other in others)))))


def key_of(email: str) -> str:
    """What is looked up for an address that was typed; empty for what is none of anybody's."""
    email = email.strip()
    return email if _is_plain(email) else ""


def spellings(email: str) -> list[str]:
    """What was typed first, then the other spellings of its domain: for nearly every address there is none. Empty text
    for nobody's."""
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
    """The one form that stands for all spellings of an address, for counting: in lower case, as people read it."""
    local, _, domain = key_of(email).lower().rpartition("@")
    try:
        return f"{local}@{to_unicode(domain)}"
    except UnicodeError:
        return key_of(email).lower()


def mailbox_of(email: str) -> str:
    """Where the mails to an address probably end: without what follows a +, without dots, in lower case.

    For limits alone. At some providers these are different people, who then share a limit.
    """
    local, _, domain = canonical(email).rpartition("@")
    return f"{local.partition('+')[0].replace('.', '') or local}@{domain}"


def digest_of(account: str) -> str:
    """What an account is counted under, by address or id, however it is spelled. No address stands in Redis."""
    return hashlib.sha256(canonical(account).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _is_had(email: str) -> ColumnElement[bool]:
    return exists().where(func.lower(_TWIN.email) == func.lower(email))


def _is_plain(email: str) -> bool:
    """Whether no letter of it is a variant of another, nor becomes an ASCII one in the other case."""
    return normalize("NFKC", email) == email and all(
        letter.isascii() or not any(one.isascii() for one in letter.lower()) for letter in email
    )
