"""Each word that the guide names has its answer; anything else gets a friendly fallback."""

from __future__ import annotations

import pytest

from app.development.guide_texts import ANSWERS, FALLBACKS, GREETING, NOT_A_TEXT, answer_to
from app.domain.messages.content import MAX_TEXT_LENGTH


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("plug", "stops Redis or the API"),
        ("Where are the DOCS?", "All documents are at /guide/"),
        ("how do I set a password", "create-operator operator@chat.localhost"),
        ("make demo!", "six people"),
        ("the api, please", "one WebSocket"),
        ("hello", "Write “help”"),
    ],
)
def test_a_known_word_gets_its_answer(text: str, part: str) -> None:
    assert part in answer_to(text, 1)


def test_help_names_a_word_of_each_answer() -> None:
    words = answer_to("Help?", 1)
    for known in ANSWERS:
        assert known.name in words
        assert answer_to(known.name, 1) == known.answer


def test_no_word_belongs_to_two_answers() -> None:
    words = [word for known in ANSWERS for word in known.words]
    assert len(words) == len(set(words)) > 40


def test_anything_else_gets_one_fallback_after_another() -> None:
    assert [answer_to("xyzzy", seq) for seq in range(len(FALLBACKS))] == list(FALLBACKS)


def test_a_picture_is_no_text() -> None:
    assert answer_to("", 3) == NOT_A_TEXT


def test_texts_fit_into_messages_and_lines_are_joined() -> None:
    texts = [*GREETING, *(known.answer for known in ANSWERS), *FALLBACKS, NOT_A_TEXT, answer_to("help", 1)]
    assert len(GREETING) == 4
    for text in texts:
        assert 0 < len(text) < MAX_TEXT_LENGTH
        assert "\n" not in text
        assert "  " not in text
