"""The printed link opens for its own token, for ten minutes, and its digest is all that leaves the terminal."""

from __future__ import annotations

import hashlib
import time

import pytest

from app.domain.welcome import first_link
from app.domain.welcome.first_link import FirstLink


def test_a_link_opens_for_its_own_token_only() -> None:
    token, link = first_link.make()
    assert link.opens(token)
    assert link.opens(f" {token}\n")  # copied from a terminal
    for other in ("", token[:-1], f"{token}x", first_link.make()[0], link.digest, "ü\udc80"):
        assert not link.opens(other)


def test_a_link_ends_after_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    token, link = first_link.make()
    for after, opens in ((599, True), (601, False)):
        monkeypatch.setattr(time, "time", lambda at=link.made_at + after: at)
        assert link.opens(token) is opens


def test_a_token_has_256_random_bits_and_the_link_holds_its_digest() -> None:
    made = [first_link.make() for _ in range(20)]
    assert len({token for token, _ in made}) == 20
    for token, link in made:
        assert len(token) >= 43  # 32 bytes in base 64
        assert link == FirstLink(hashlib.sha256(token.encode()).hexdigest(), link.made_at)
