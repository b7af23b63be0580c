"""Domains in two spellings: one account, mails that reach the domain that was meant, and old accounts that stand."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import insert, select

from app.db import Database
from app.domain.accounts.registration import RegistrationRequest, begin
from app.domain.errors import Conflict, Invalid
from app.domain.orm import uuid7
from app.domain.users.email_addresses import canonical, check_email, digest_of, mailbox_of, owned_by
from app.domain.users.idna_domains import to_ascii, to_unicode
from app.domain.users.models import User
from tests.support.mailbox import Mailboxes, token_of
from tests.support.web import API, PASSWORD, Client, log_in
from tests.system.mails.test_account_flows import ask, refused, sign_up

SPELLINGS = ("bücher.example", "xn--bcher-kva.example")


@pytest.mark.parametrize(
    ("read", "wire"),
    [
        ("faß.example", "xn--fa-hia.example"),
        ("fass.example", "fass.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("σοφός.example", "xn--0xagbn4a.example"),
        ("σοφόσ.example", "xn--0xahbl4a.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("हिन्दी.भारत", "xn--j2bd4cyah0f.xn--h2brj9c"),
        ("A_b--c.example", "A_b--c.example"),
    ],
)
def test_a_domain_is_converted_by_idna_2008_and_back(read: str, wire: str) -> None:
    assert to_ascii(read) == wire
    assert to_unicode(wire) == read
    assert check_email(f"x@{wire}") == f"x@{read}"


@pytest.mark.parametrize(
    "domain",
    [
        "xn--zzzzzz99999.example",  # decodes to nothing
        "xn--fass-.example",
        "💩.example",  # a symbol, which IDNA 2003 had
        "a\u3002example.org",
        "-ü.example",
        "ü" * 63 + ".example",
        "\u212a.example",
        "a\u200db.example",
        "\uff42.example",
    ],
)
def test_an_address_with_an_unconvertible_domain_is_refused(domain: str) -> None:
    with pytest.raises(Invalid):
        check_email(f"x@{domain}")


def test_a_capital_sharp_s_is_not_mapped_to_two_letters() -> None:
    """Older mapping tables made `ss` of it."""
    assert to_ascii("\u1e9eb.example") == to_ascii("ßb.example")


def test_all_spellings_of_a_domain_count_as_one_address() -> None:
    typed = [f"Ada@{one}" for one in (*SPELLINGS, "BÜCHER.example", "XN--BCHER-KVA.example")]
    assert {canonical(one) for one in typed} == {"ada@bücher.example"}
    assert len({digest_of(one) for one in typed}) == 1
    assert digest_of("ada@faß.example") != digest_of("ada@fass.example")


def test_aliases_of_a_mailbox_count_as_one() -> None:
    aliases = ("ada.l@bücher.example", "adal+1@xn--bcher-kva.example", "A.D.A.L+x+y@BÜCHER.example")
    assert {mailbox_of(one) for one in aliases} == {"adal@bücher.example"}
    assert mailbox_of("+x@example.org") == "+x@example.org"
    assert mailbox_of("ada@example.org") != mailbox_of("ada@example.net")


@pytest.mark.parametrize("first", [0, 1])
async def test_both_spellings_of_an_address_are_one_account(api: Client, mailboxes: Mailboxes, first: int) -> None:
    local = uuid7().hex
    emails = [f"{local}@{domain}" for domain in (SPELLINGS[first], SPELLINGS[1 - first])]
    wire = f"{local}@{SPELLINGS[1]}"
    await sign_up(api, emails[0])
    await ask(api, "/activate", token=token_of(await mailboxes.wait_for(wire, "Activate")))
    for email in (*emails, emails[0].upper()):
        someone = await log_in(api, email)
        me = (await api.get(f"{API}/me/", headers=someone.headers)).json()
        assert me["email"] == f"{local}@{SPELLINGS[0]}"
    await sign_up(api, emails[1], "a stranger's password")
    await mailboxes.wait_for(wire, "have an account at Chat already")
    await ask(api, "/forgot-password", email=emails[1])
    await mailboxes.wait_for(wire, "Choose")
    await refused(api, emails[1], "a stranger's password", 403, "not_activated")


async def test_the_owner_of_a_similar_domain_receives_no_mail(api: Client, mailboxes: Mailboxes) -> None:
    local = uuid7().hex
    await sign_up(api, f"{local}@faß.example")
    letter = await mailboxes.wait_for(f"{local}@xn--fa-hia.example", "Activate")
    await ask(api, "/activate", token=token_of(letter))
    await ask(api, "/forgot-password", email=f"{local}@faß.example")
    await mailboxes.wait_for(f"{local}@xn--fa-hia.example", "Choose")
    await refused(api, f"{local}@fass.example", PASSWORD)
    assert mailboxes.to(f"{local}@fass.example") == []


async def test_older_accounts_in_either_spelling_are_found_and_not_registered_again(database: Database) -> None:
    """Before spellings were one, both could be registered: each is still found by the address it was made with."""
    alone, both = uuid7().hex, uuid7().hex
    old = [f"{alone}@{SPELLINGS[1]}", *(f"{both}@{domain}" for domain in SPELLINGS)]
    async with database.transaction() as session:
        for email in old:
            row = {"id": uuid7(), "email": email, "first_name": "A", "last_name": "B", "password_hash": "x"}
            await session.execute(insert(User).values(row))

    async def found(email: str) -> list[str]:
        async with database.transaction() as session:
            return list(await session.scalars(select(User.email).where(owned_by(email))))

    assert [await found(email) for email in old] == [[email] for email in old]
    assert await found(f"{alone}@{SPELLINGS[0]}") == [old[0]]
    assert await found(f"{both}@BÜCHER.example") == [old[1]]
    wanted = RegistrationRequest(email=f"{alone}@{SPELLINGS[0]}", first_name="A", last_name="B", password_hash="x")
    with pytest.raises(Conflict, match="email_taken"):
        async with database.transaction() as session:
            await begin(session, wanted)


async def test_a_mailbox_is_not_flooded_through_its_aliases(api: Client, mailboxes: Mailboxes) -> None:
    """Each alias is another address, with a limit of its own; the mailbox they end in has one for all of them."""
    local = f"box{uuid7().hex}"
    for number in range(13):
        await sign_up(api, f"{local}+{number}@example.org")
    await ask(api, "/forgot-password", email=f"{local}@example.org")
    last = f"last{uuid7().hex}@example.org"
    await sign_up(api, last)
    await mailboxes.wait_for(last, "Activate")
    came = [to for to, _ in mailboxes.letters if re.fullmatch(rf"{local}\+\d+@example\.org", to)]
    assert len(came) == 10
