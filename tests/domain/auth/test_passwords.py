"""How passwords are hashed, and which may be chosen."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from typing import Literal
from unicodedata import normalize

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type

from app.domain.auth.passwords import NICENESS, Passwords, check_new_password, common_passwords
from app.domain.errors import Invalid, Unavailable


@pytest.fixture
def hold() -> Iterator[threading.Event]:
    """Keeps a thread busy until set; set at the end in any case, or pytest would wait for the thread for ever."""
    event = threading.Event()
    yield event
    event.set()


async def test_hashes_are_argon2id_of_at_least_the_required_cost() -> None:
    passwords = Passwords()
    for encoded in (await passwords.hash("correct horse"), passwords._nobodys):
        found = extract_parameters(encoded)
        assert found.type is Type.ID
        assert (found.memory_cost >= 19_456, found.time_cost >= 2, found.parallelism) == (True, True, 1)
    passwords.close()


async def test_a_password_is_recognised_and_another_is_not(quick_passwords: Passwords) -> None:
    encoded = await quick_passwords.hash("correct horse")
    assert await quick_passwords.verify(encoded, "correct horse")
    assert not await quick_passwords.verify(encoded, "correct house")
    assert not await quick_passwords.verify("!", "correct horse")


async def test_no_password_verifies_without_a_hash(quick_passwords: Passwords) -> None:
    assert not await quick_passwords.verify(None, "correct horse")


async def test_two_spellings_of_one_character_are_one_password(quick_passwords: Passwords) -> None:
    encoded = await quick_passwords.hash("caf\u00e9 caf\u00e9")
    assert await quick_passwords.verify(encoded, "cafe\u0301 cafe\u0301")


async def test_the_event_loop_goes_on_while_hashing() -> None:
    passwords = Passwords()
    hashing = asyncio.create_task(passwords.hash("correct horse"))
    turns = 0
    while not hashing.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10
    passwords.close()


@pytest.mark.parametrize("threads", [1, 2])
async def test_hashing_has_a_lower_priority_than_the_event_loop(threads: int) -> None:
    passwords = Passwords(memory=64, passes=1, threads=threads)
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    theirs = [
        await passwords._off_loop(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        for _ in range(threads)
    ]
    passwords.close()
    assert theirs == [max(mine, NICENESS)] * threads
    assert os.getpriority(os.PRIO_PROCESS, 0) == mine


async def test_a_full_hashing_queue_refuses_and_accepts_again_later(hold: threading.Event) -> None:
    passwords = Passwords(memory=64, passes=1, threads=1, waiting=2)
    blocked = [asyncio.create_task(passwords._off_loop(hold.wait)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="overloaded"):
        await passwords.hash("correct horse")
    hold.set()
    await asyncio.gather(*blocked)
    assert await passwords.hash("correct horse")
    passwords.close()


async def test_a_cancelled_caller_frees_no_hashing_thread(hold: threading.Event) -> None:
    passwords = Passwords(memory=64, passes=1, threads=1, waiting=0)
    blocked = asyncio.create_task(passwords._off_loop(hold.wait))
    await asyncio.sleep(0)
    blocked.cancel()
    await asyncio.gather(blocked, return_exceptions=True)
    with pytest.raises(Unavailable):
        await passwords.hash("correct horse")
    hold.set()
    while passwords._jobs:  # noqa: ASYNC110 - the thread notifies the loop; pytest's timeout is the deadline
        await asyncio.sleep(0.001)
    assert await passwords.hash("correct horse")
    passwords.close()


async def test_a_cheaper_hash_is_outdated(quick_passwords: Passwords) -> None:
    passwords = Passwords()
    assert passwords.is_outdated(await quick_passwords.hash("correct horse"))
    assert not passwords.is_outdated(await passwords.hash("correct horse"))
    passwords.close()


@pytest.mark.parametrize("password", ["12345678", "password1", "PassWord", "qwertyuiop", "trustno1", "iloveyou"])
def test_common_passwords_are_refused_in_any_case(password: str) -> None:
    with pytest.raises(Invalid, match="common_password"):
        check_new_password(password)


def test_more_than_three_thousand_common_passwords_are_known() -> None:
    assert len(common_passwords()) > 3_000
    assert all(8 <= len(one) <= 128 and one == one.lower() for one in common_passwords())


@pytest.mark.parametrize("password", ["short 1", "x" * 129, "", "half \ud800 of a pair"])
def test_lengths_and_half_characters_are_refused(password: str) -> None:
    with pytest.raises(Invalid):
        check_new_password(password)


@pytest.mark.parametrize(
    "password", ["        ", "\x00\x01\x02\x03\x04\x05\x06\x07", "пароль-да", "🐎🐎🐎🐎🐎🐎🐎🐎", "x" * 128]
)
def test_any_characters_are_allowed(password: str) -> None:
    assert check_new_password(password) == password


@pytest.mark.parametrize(
    "password",
    [
        "ada.lovelace@example.org", "ADA.LOVELACE@Example.org", "ada.lovelace", "Ada Byron Lovelace",
        "adabyronlovelace", "lovelaceadabyron", "Ada Byron", "\uff21da Byron",
    ],
)  # fmt: skip
def test_a_password_made_of_its_owners_data_is_refused(password: str) -> None:
    with pytest.raises(Invalid, match="personal_password"):
        check_new_password(password, about=("ada.lovelace@example.org", "Ada Byron", "Lovelace"))


def test_a_password_equal_to_the_address_before_its_plus_is_refused() -> None:
    for password in ("ada.lovelace", "ada.lovelace+chat"):
        with pytest.raises(Invalid, match="personal_password"):
            check_new_password(password, about=("ada.lovelace+chat@example.org", "Ada", "Byron"))


def test_a_name_within_a_longer_password_is_allowed() -> None:
    assert check_new_password("Ada likes engines", about=("ada@example.org", "Ada", "Lovelace"))


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_characters_are_counted_as_people_count_them(form: Literal["NFC", "NFD"]) -> None:
    assert check_new_password(normalize(form, "é" * 128))
    for length in (7, 129):
        with pytest.raises(Invalid):
            check_new_password(normalize(form, "é" * length))


async def test_every_kind_of_blank_counts_as_a_space(quick_passwords: Passwords) -> None:
    encoded = await quick_passwords.hash("correct\u00a0horse")
    assert await quick_passwords.verify(encoded, "correct horse")
    assert await quick_passwords.verify(encoded, "correct\u3000horse")


async def test_a_hash_made_before_blanks_were_normalised_verifies(quick_passwords: Passwords) -> None:
    """Until then blanks were kept as they were."""
    encoded = quick_passwords._hasher.hash("correct\u00a0horse".encode())
    assert await quick_passwords.verify(encoded, "correct\u00a0horse")
    assert not await quick_passwords.verify(encoded, "correct\u00a0house")
    assert not await quick_passwords.verify(None, "correct\u00a0horse")
