"""Every sentence of a mail comes from its language's catalogue, and the catalogues are complete."""

from __future__ import annotations

import gettext
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import get_args, get_type_hints

import pytest
from jinja2.exceptions import SecurityError

from app.settings import Settings
from app.tasks.letters import template_check, templates
from app.tasks.letters.renderer import MailRenderer, MailStyle, RenderedMail
from tests.support import mail_catalogues

URL = "https://chat.example.org"
AT = datetime(2026, 3, 1, 9, 5, tzinfo=UTC)
TRANSLATED = templates.languages()[1:]
PLACEHOLDER = re.compile(r"%\(\w+\)s")


class Visible(HTMLParser):
    """The words a reader sees, and what each element looks like."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.styles: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.styles.append((tag, dict(attrs).get("style") or ""))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def rendered(letter: str, language: str, number: int = 0) -> RenderedMail:
    style = MailStyle(language=language, frontend_url="https://app.example.org")
    return MailRenderer(URL, "chat@example.org", style).render(template_check.samples(letter)[number], AT)


def test_the_setting_offers_exactly_the_languages_that_have_a_catalogue() -> None:
    offered = get_args(get_type_hints(Settings)["mail_language"])
    assert list(offered) == templates.languages()
    assert TRANSLATED == ["de"]


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_has_the_sentences_of_the_templates_and_no_others(language: str) -> None:
    needed = {sentence if isinstance(sentence, tuple) else (sentence,) for sentence in mail_catalogues.sentences()}
    assert {english for english, _ in mail_catalogues.translations(language)} == needed
    assert len(needed) > 60


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_sentence_is_translated_with_the_same_placeholders(language: str) -> None:
    plurals = mail_catalogues.catalogue(language).num_plurals
    for english, translated in mail_catalogues.translations(language):
        assert len(translated) == (plurals if len(english) == 2 else 1), english
        for number, one in enumerate(translated):
            assert one, english
            # The last form is the general one; the singular may leave its number out.
            same = english[-1 if number == len(translated) - 1 else 0]
            assert sorted(PLACEHOLDER.findall(one)) == sorted(PLACEHOLDER.findall(same)), english


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_compiled_catalogue_is_the_one_that_was_written(language: str) -> None:
    """`make catalogues` compiles it."""
    compiled = gettext.translation(templates.DOMAIN, templates.LOCALES, [language])
    for english, translated in mail_catalogues.translations(language):
        if len(english) == 2:
            assert compiled.ngettext(english[0], english[1], 1) == translated[0]
            assert compiled.ngettext(english[0], english[1], 2) == translated[-1]
        else:
            assert compiled.gettext(english[0]) == translated[0]


class Marked(gettext.NullTranslations):
    """Marks what comes from a catalogue."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"⟦{msgid1 if n == 1 else msgid2}⟧"


@pytest.mark.parametrize("letter", templates.letters())
def test_every_sentence_of_every_mail_comes_from_the_catalogue(letter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "_translations", lambda _: Marked())
    facts = re.compile(r"Engines|Ada|Grace Hopper|[aA] sample \w+|another|sample-token|https://\S+|Chat|[\W\d_]+")
    for number in range(len(template_check.samples(letter))):
        mail = rendered(letter, "en", number)
        for body in (mail.subject, mail.text, " ".join(Visible(mail.html).words)):
            own = body
            while "⟦" in own:
                own, before = re.sub(r"⟦[^⟦⟧]*⟧", "", own), own
                assert own != before
            assert facts.sub("", own) == ""


@pytest.mark.parametrize("language", templates.languages())
@pytest.mark.parametrize("letter", templates.letters())
def test_every_mail_is_rendered_in_every_language_as_text_and_html(letter: str, language: str) -> None:
    for number in range(len(template_check.samples(letter))):
        mail = rendered(letter, language, number)
        seen = Visible(mail.html)
        assert f'<html lang="{language}">' in mail.html
        assert "".join(mail.text.split()) != ""
        assert {"%(", "{{", "{%"} & set(re.findall(r"%\(|\{\{|\{%", mail.subject + mail.text + mail.html)) == set()
        if language != "en" and letter != "broadcast":
            english = rendered(letter, "en", number)
            assert mail.subject != english.subject
            assert mail.text != english.text
        # What the text says, the HTML says too.
        words = " ".join(" ".join(seen.words).split())
        for line in mail.text.split("-- \n")[0].split("\n\n"):
            sentence = " ".join(line.split()).rstrip(":")
            assert "https://" in sentence or sentence in words


def test_a_stylesheet_becomes_the_styles_of_its_elements() -> None:
    mail = rendered("activation", "en")
    assert "<style" not in mail.html
    assert "<link" not in mail.html
    styles = Visible(mail.html).styles
    assert [style for tag, style in styles if tag in ("body", "p", "div", "a", "code") and not style] == []
    assert any("background: #1f4e79" in style for tag, style in styles if tag == "a")


@pytest.mark.parametrize(
    ("language", "day", "three_days", "hour"),
    [
        ("en", "on 1 March 2026 at 09:05 UTC", "within 3 days", "within an hour"),
        ("de", "am 1. März 2026 um 09:05 UTC", "innerhalb von 3 Tagen", "innerhalb einer Stunde"),
    ],
)
def test_dates_and_durations_are_written_as_the_language_does(
    language: str, day: str, three_days: str, hour: str
) -> None:
    def words(letter: str) -> str:
        return " ".join(rendered(letter, language).text.split())

    assert day in words("new_login")
    assert three_days in words("activation")
    assert hour in words("forgotten_password")


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (0, "Sie haben eine ungelesene Nachricht in Engines:"),
        (1, "Sie haben mehr als 5 ungelesene Nachrichten in Engines; dies sind die neuesten:"),
        (2, "Sie haben eine ungelesene Nachricht:"),
        (3, "Sie haben mehr als 5 ungelesene Nachrichten; dies sind die neuesten:"),
    ],
)
def test_numbers_decide_between_singular_and_plural(number: int, sentence: str) -> None:
    assert sentence in " ".join(rendered("unread", "de", number).text.split())


def test_a_template_reaches_nothing_of_the_process() -> None:
    hostile = "{% extends form %}{% block subject %}x{% endblock %}{% block letter %}{{ link.__class__ }}{% endblock %}"
    style = MailStyle(replacements={"welcome.jinja": hostile})
    with pytest.raises(SecurityError):
        MailRenderer(URL, "chat@example.org", style).render(template_check.samples("welcome")[0], AT)
