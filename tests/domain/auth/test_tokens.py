"""Which tokens are believed, and that a pair is a function of its login's row."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest

from app.domain.auth import tokens as module
from app.domain.auth.tokens import TokenPair, Tokens
from app.domain.errors import Unauthenticated

SECRET = "one secret that is long enough for anybody"
USER, SESSION = uuid4(), uuid4()
BEGIN = datetime.now(UTC)
END = BEGIN + timedelta(days=30)


def pair(tokens: Tokens, generation: int = 1, begin: datetime = BEGIN, end: datetime = END) -> TokenPair:
    return tokens.pair(user=USER, session=SESSION, generation=generation, rotated_at=begin, expires_at=end)


def payload(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def signed(claims: dict[str, Any], *, secret: str = SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, module._key(secret), algorithm=algorithm)


def test_a_token_names_its_user_and_login() -> None:
    tokens = Tokens(SECRET)
    claims = tokens.verify(pair(tokens, generation=7).access, "access")
    assert (claims.user, claims.session, claims.type, claims.generation) == (USER, SESSION, "access", 7)
    assert claims.expires_at == int(BEGIN.timestamp()) + 900
    assert claims.caller().expires_at == claims.expires_at


def test_the_same_row_gives_the_same_pair_on_every_process() -> None:
    assert pair(Tokens(SECRET)) == pair(Tokens(SECRET))


def test_another_generation_or_time_gives_another_pair() -> None:
    tokens = Tokens(SECRET)
    later = BEGIN + timedelta(seconds=1)
    pairs = [pair(tokens), pair(tokens, generation=2), pair(tokens, begin=later)]
    assert len({one.access for one in pairs}) == len({one.refresh for one in pairs}) == 3


def test_no_token_outlives_its_login() -> None:
    tokens = Tokens(SECRET)
    end = BEGIN + timedelta(minutes=1)
    short = pair(tokens, end=end)
    assert payload(short.access)["exp"] == payload(short.refresh)["exp"] == int(end.timestamp())


def test_a_token_is_accepted_only_as_its_own_type() -> None:
    tokens = Tokens(SECRET)
    both = pair(tokens)
    assert tokens.verify(both.refresh, "refresh").type == "refresh"
    assert tokens.verify(both.refresh).type == "refresh"
    for token, kind in ((both.refresh, "access"), (both.access, "refresh")):
        with pytest.raises(Unauthenticated):
            tokens.verify(token, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("iss", "another"),
        ("aud", "another"),
        ("aud", ["chat"]),
        pytest.param("exp", int(time.time()) - 31, id="exp-past"),
        ("exp", "soon"),
        ("type", "id"),
        ("type", None),
        ("sub", "ada"),
        ("sub", 7),
        ("sid", ""),
        ("gen", "1"),
        ("gen", True),
        ("gen", None),
    ],
)
def test_a_wrong_claim_is_refused(claim: str, value: object) -> None:
    tokens = Tokens(SECRET)
    claims = payload(pair(tokens).access)
    tokens.verify(signed(claims), "access")
    with pytest.raises(Unauthenticated):
        tokens.verify(signed(claims | {claim: value}), "access")


@pytest.mark.parametrize("claim", module.REQUIRED)
def test_every_claim_is_required(claim: str) -> None:
    tokens = Tokens(SECRET)
    claims = payload(pair(tokens).access)
    del claims[claim]
    with pytest.raises(Unauthenticated):
        tokens.verify(signed(claims))


def test_a_clock_may_differ_by_half_a_minute() -> None:
    tokens = Tokens(SECRET)
    claims = payload(pair(tokens).access)
    tokens.verify(signed(claims | {"exp": int(time.time()) - 20}))
    tokens.verify(signed(claims | {"iat": int(time.time()) + 300}))


def test_an_unsigned_token_is_refused() -> None:
    tokens = Tokens(SECRET)
    claims = payload(pair(tokens).access)
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).rstrip(b"=").decode()
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    for forged in (f"{head}.{body}.", f"{head}.{body}", jwt.encode(claims, "", algorithm="none")):
        with pytest.raises(Unauthenticated):
            tokens.verify(forged)


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
@pytest.mark.filterwarnings("ignore:The HMAC key:jwt.warnings.InsecureKeyLengthWarning")
def test_a_token_cannot_choose_its_algorithm(algorithm: str) -> None:
    tokens = Tokens(SECRET)
    with pytest.raises(Unauthenticated):
        tokens.verify(signed(payload(pair(tokens).access), algorithm=algorithm))


def test_the_secret_is_not_used_as_the_signing_key() -> None:
    tokens = Tokens(SECRET)
    with pytest.raises(Unauthenticated):
        tokens.verify(jwt.encode(payload(pair(tokens).access), SECRET, algorithm="HS256"))


def test_a_changed_byte_is_refused() -> None:
    tokens = Tokens(SECRET)
    head, body, signature = pair(tokens).access.split(".")
    for forged in (
        f"{head}.{body}.{signature[:-2]}AA",
        f"{head}.{body[:-2]}AA.{signature}",
        "",
        ".",
        "..",
        "x" * 9_000,
    ):
        with pytest.raises(Unauthenticated):
            tokens.verify(forged)


def test_a_changed_secret_keeps_logins_while_the_previous_one_is_set() -> None:
    old = pair(Tokens("the old secret, which was long enough too"))
    Tokens(SECRET, "the old secret, which was long enough too").verify(old.access)
    with pytest.raises(Unauthenticated):
        Tokens(SECRET).verify(old.access)


def test_new_tokens_are_signed_with_the_new_secret() -> None:
    both = Tokens(SECRET, "the old secret, which was long enough too")
    Tokens(SECRET).verify(pair(both).access)


def test_a_remembered_token_still_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens(SECRET)
    token = pair(tokens).access
    tokens.verify(token)
    monkeypatch.setattr(module, "time", lambda: BEGIN.timestamp() + 900 + 31)
    with pytest.raises(Unauthenticated):
        tokens.verify(token)


def test_remembered_tokens_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 10)
    tokens = Tokens(SECRET)
    for generation in range(50):
        tokens.verify(pair(tokens, generation).access)
    assert len(tokens._seen) == 10
