"""An operator's templates are checked at the start: each fault is one sentence that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.tasks.letters import template_check, templates
from app.tasks.letters.renderer import MailStyle

URL = "https://chat.example.org"
UNCLOSED = (
    "welcome.jinja, line 3: Encountered unknown tag 'endblock'. You probably made a nesting mistake. Jinja is"
    " expecting this tag, but currently looking for 'elif' or 'else' or 'endif'. The innermost block that needs to be"
    " closed is 'if'."
)


def letter(body: str, subject: str = "{% block subject %}Hello{% endblock %}") -> str:
    return "{% extends form %}\n" + subject + "\n{% block letter %}" + body + "{% endblock %}\n"


def found(folder: Path, files: dict[str, str | bytes], language: str = "en") -> list[str]:
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    return template_check.problems(folder, MailStyle(language=language), URL)


@pytest.mark.parametrize("language", templates.languages())
def test_the_packaged_templates_pass_the_check(tmp_path: Path, language: str) -> None:
    assert found(tmp_path, dict(templates.packaged()), language) == []


def test_an_empty_folder_and_hidden_files_are_fine(tmp_path: Path) -> None:
    assert found(tmp_path, {".gitkeep": "", ".git/HEAD": "ref"}) == []


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("welcom.jinja", letter("x"), "welcom.jinja replaces no template; did you mean welcome.jinja?"),
        ("page.html", "x", "page.html replaces no template; did you mean forms/page.html.jinja?"),
        ("NOTES", "x", "NOTES replaces no template."),
        (
            "welcome.jinja",
            letter("{% if first_name %}"),
            UNCLOSED,
        ),
        ("welcome.jinja", letter("x", subject=""), "welcome.jinja has no block 'subject'."),
        (
            "welcome.jinja",
            letter("x", "{% block subject %} {% endblock %}"),
            "welcome.jinja: the block 'subject' is empty.",
        ),
        ("welcome.jinja", letter("{{ nmae }}"), "welcome.jinja uses 'nmae', which its mails do not have."),
        # In a branch that no sample reaches.
        (
            "welcome.jinja",
            letter("{% if first_name == 'Eve' %}{{ paragraphs }}{% endif %}"),
            "welcome.jinja uses 'paragraphs', which its mails do not have.",
        ),
        ("welcome.jinja", letter("{{ 1 / 0 }}"), "welcome.jinja, line 3: ZeroDivisionError: division by zero."),
        (
            "welcome.jinja",
            letter("{{ link.__class__ }}"),
            "welcome.jinja, line 3: access to attribute '__class__' of 'str' object is unsafe.",
        ),
        ("welcome.jinja", letter("{% include 'logo' %}"), "welcome.jinja, line 3: logo."),
        (
            "unread.jinja",
            letter("{{ link }}{% for line in lines %}{{ line.whom }}{% endfor %}"),
            "unread.jinja, line 3: 'dict object' has no attribute 'whom'.",
        ),
        ("welcome.jinja", b"\xff\xfe", "{folder} has a file that is not UTF-8; save it in that encoding."),
    ],
)
def test_a_faulty_template_is_one_sentence(tmp_path: Path, name: str, content: str | bytes, sentence: str) -> None:
    assert found(tmp_path, {name: content}) == [sentence.replace("{folder}", str(tmp_path))]


def test_a_mail_without_what_it_is_for_is_refused(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "activation.jinja": letter("{{ token }}"),
        "login_code.jinja": letter("your code was sent"),
        "broadcast.jinja": letter("{{ paragraphs[0] }}"),
    }
    assert found(tmp_path, files) == [
        "activation.jinja: the text of the mail 'activation' does not show link.",
        "activation.jinja: the HTML of the mail 'activation' does not show link.",
        "broadcast.jinja: the text of the mail 'broadcast' does not show paragraphs.",
        "broadcast.jinja: the HTML of the mail 'broadcast' does not show paragraphs.",
        "login_code.jinja: the text of the mail 'login_code' does not show token.",
        "login_code.jinja: the HTML of the mail 'login_code' does not show token.",
    ]


def test_a_form_that_leaves_the_letter_out_is_named(tmp_path: Path) -> None:
    problems = found(tmp_path, {"forms/page.txt.jinja": "{{ app_name }}"})
    assert "forms/page.txt.jinja: the text of the mail 'activation' does not show link." in problems
    assert [one for one in problems if "HTML" in one] == []


@pytest.mark.parametrize("what", ["nowhere", "file"])
def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path, what: str) -> None:
    (tmp_path / "file").write_text("x")
    assert template_check.problems(tmp_path / what, MailStyle(), URL) == [f"{tmp_path / what} is not a folder."]
