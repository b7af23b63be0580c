"""The body of a message: the digest of a body never changes, so that a retry finds what an earlier release stored."""

from __future__ import annotations

import pytest

from app.domain.messages import content
from app.domain.messages.content import MessageBody, checked_body
from app.domain.messages.message_projection import MESSAGE_COLUMNS
from app.domain.messages.models import MessageRow

PICTURE = "https://example.org/a.png"
DIGESTS = [
    (MessageBody(message_type="text", text="hello"), "11cea47d2ee2d7e0108c73839c1b46cd"),
    (MessageBody(message_type="text", text="grüße", reply_to=7), "984f4c41aa01d4dbe4d180c57f5ee09c"),
    (MessageBody(message_type="image", media_url=PICTURE), "86518ab24555eae074d37f0e9b8d7fe1"),
    (
        MessageBody(message_type="video", media_url="https://example.org/ü", reply_to=12),
        "3ea233aaeefa82250744278899826167",
    ),
]
"""With what release 1.0.0 stored for them."""


@pytest.mark.parametrize(("body", "stored"), DIGESTS)
def test_a_body_has_the_digest_that_release_1_0_0_stored(body: MessageBody, stored: str) -> None:
    assert checked_body(body).digest().hex() == stored
    assert checked_body(body, "another key").digest().hex() == stored


def test_a_field_added_later_changes_the_digest_only_if_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "_ADDED_LATER", ("client_id",))
    body, stored = DIGESTS[0]
    assert body.digest().hex() == stored
    one, other = (MessageBody(message_type="text", text="hello", client_id=key) for key in ("a", "b"))
    assert len({body.digest(), one.digest(), other.digest()}) == 3


def test_the_fields_of_a_body_are_columns_of_the_log_in_one_order() -> None:
    """`send` fills the body of a view by its place among the columns, and `send_messages` by name."""
    names = [column.name.removeprefix("message_") for column in MESSAGE_COLUMNS]
    first = names.index("type")
    fields = MessageBody.__struct_fields__
    assert names[first : first + len(fields)] == [name.removeprefix("message_") for name in fields]
    assert set(fields) <= {column.name for column in MessageRow.__table__.columns}
