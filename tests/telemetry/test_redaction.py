"""No credential and no message text reaches a log."""

from __future__ import annotations

import pytest

from app.telemetry.redaction import HIDDEN, LONGEST, redacted, redacted_field

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMTk5In0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"


@pytest.mark.parametrize(
    "text",
    [
        f"GET /ws/conversations?token={JWT} HTTP/1.1",
        "/ws/conversations?ticket=S3CRET&x=1",
        '127.0.0.1:5000 - "WebSocket /ws/conversations?anything=S3CRET" [accepted]',
        f"Authorization: Bearer {JWT}",
        f"authorization: JWT {JWT}",
        "[(b'authorization', b'Bearer S3CRET-opaque-value')]",
        "Sec-WebSocket-Protocol: chat.v1, bearer.S3CRET-opaque-value",
        "subprotocols ['chat.v1', 'bearer.S3CRET-opaque-value']",
        '{"email": "ada@example.org", "password": "S3CRET \\" quoted"}',
        "{'new_password': 'S3CRET', 'token': 'x'}",
        "password=S3CRET",
        "redis://:S3CRET@127.0.0.1:6379/0",
        "postgresql+psycopg://chat:S3CRET@127.0.0.1/chat",
        "(psycopg.errors.UniqueViolation) duplicate key\nDETAIL:  Key (email)=(S3CRET@example.org) already exists.",
        "INSERT INTO messages …\n[parameters: {'text': 'S3CRET\nin two lines'}]\n(Background on this error)",
    ],
)
def test_secrets_in_a_text_are_hidden(text: str) -> None:
    assert "S3CRET" not in redacted(text)
    assert JWT not in redacted(text)
    assert JWT.split(".")[2] not in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "POST /api/v1/conversations/0199f2a0-7b6e-7000-8000-000000000000/messages/ 201",
        "access to the conversation was refused",
        "Task chat.cache.rebuild[6f1c] succeeded in 0.01 s",
        "the token is expired",
    ],
)
def test_a_text_without_secrets_is_unchanged(text: str) -> None:
    assert redacted(text) == text


def test_a_field_with_a_secret_name_is_hidden_whatever_its_value() -> None:
    event = {"Password": ["a", "b"], "nested": {"token": 5, "deep": [{"refresh": "x", "kept": "y"}]}}
    assert {name: redacted_field(name, value) for name, value in event.items()} == {
        "Password": HIDDEN,
        "nested": {"token": HIDDEN, "deep": [{"refresh": HIDDEN, "kept": "y"}]},
    }


def test_bytes_are_only_counted_and_a_cycle_ends() -> None:
    bottomless: dict[str, object] = {}
    bottomless["again"] = bottomless
    assert redacted_field("body", b"S3CRET") == "[6 bytes]"
    assert HIDDEN in str(redacted_field("event", bottomless))


def test_only_the_token_in_a_text_is_hidden_and_a_dotted_name_is_no_token() -> None:
    assert redacted(f"x-{JWT} and app.api.request") == f"x-{HIDDEN} and app.api.request"
    assert redacted("eyJ.a") == "eyJ.a"


def test_a_long_text_is_truncated() -> None:
    text = redacted("a" * 1_000_000)
    assert text.startswith("a" * LONGEST) and text.endswith("(1000000 characters)")
    assert len(text) < LONGEST + 100
