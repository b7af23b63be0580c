"""Checks an operator's templates before the first mail: each problem is a sentence that names the file.

Every mail is rendered in both forms with sample facts. Names in branches that the samples do not reach are found in the
parsed source. What a mail is for must be in it: an activation without its link would lock its reader out.
"""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError, meta, nodes

from app.domain.accounts.account_mail import MailContent
from app.tasks.letters import templates
from app.tasks.letters.renderer import MailRenderer, MailStyle

MAILED: Final = "sample-token"
_AT: Final = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)
_SENDER: Final = "chat@example.org"
_SHARED: Final = {"form", "pieces", "words", "subject", "gettext", "ngettext"}
_NAMED: Final = {"first_name": "Ada"}
_LINES: Final = [{"who": "Grace Hopper", "text": "a sample text", "type": "text"}]
_CONVERSATION: Final = "00000000-0000-7000-8000-000000000000"
_UNREAD: Final = {**_NAMED, "conversation": _CONVERSATION}
_ACCESS: Final = {"network": "203.0.113.9"}

SAMPLES: Final[dict[str, list[dict[str, Any]]]] = {
    "broadcast": [{**_NAMED, "title": "A sample title", "paragraphs": ["a sample text", "another"]}],
    "login_code": [{**_NAMED, **_ACCESS, "user_agent": "Firefox on Linux"}, {**_ACCESS, "user_agent": ""}],
    "new_login": [{**_NAMED, **_ACCESS, "program": "Firefox on Linux"}, {**_ACCESS, "program": ""}],
    "unread": [
        {**_UNREAD, "name": "Engines", "lines": _LINES, "more": False},
        {**_UNREAD, "name": "Engines", "lines": _LINES * 5, "more": True},
        {**_UNREAD, "name": "", "lines": [{**_LINES[0], "text": "", "type": "image"}], "more": False},
        {**_UNREAD, "name": "", "lines": _LINES * 5, "more": True},
        {**_UNREAD, "name": "", "lines": [], "more": False},
    ],
}
"""Facts of each mail, all cases that differ; other mails have only a name, or none."""

REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "activation": ("link", "token"),
    "confirm_email": ("link", "token"),
    "forgotten_password": ("link", "token"),
    "login_code": ("token",),
    "unread": ("link",),
    "broadcast": ("paragraphs",),
}
"""What a mail must show, in the text and in the HTML."""


def samples(letter: str) -> list[MailContent]:
    """Returns this mail as it is sent, once for each case."""
    facts = SAMPLES.get(letter, [_NAMED, {}])
    return [MailContent(template=letter, address="ada@example.org", token=MAILED, facts=one) for one in facts]


def problems(folder: Path, style: MailStyle, public_url: str) -> list[str]:
    """Returns a sentence for each reason why the templates in `folder` cannot be used."""
    try:
        found = templates.replacements(folder)
    except UnicodeDecodeError:
        return [f"{folder} has a file that is not UTF-8; save it in that encoding."]
    except OSError as error:
        return [f"{error.filename or folder} cannot be read: {error.strerror}."]
    if not folder.is_dir():
        return [f"{folder} is not a folder."]
    packaged = templates.packaged()
    unknown = [_unknown(name, list(packaged)) for name in found if name not in packaged]
    style = MailStyle(
        app_name=style.app_name,
        frontend_url=style.frontend_url or public_url,
        language=style.language,
        replacements={name: source for name, source in found.items() if name in packaged},
    )
    broken = list(_unparsable(style))
    return unknown + (broken or list(dict.fromkeys(_unusable(style, public_url))))


def _unknown(name: str, packaged: list[str]) -> str:
    near = difflib.get_close_matches(name, packaged, n=1)
    return f"{name} replaces no template" + (f"; did you mean {near[0]}?" if near else ".")


def _unparsable(style: MailStyle) -> Iterator[str]:
    """Finds errors of syntax, and names that no mail has."""
    environment = templates.open_environment(style.language, {})
    for name, source in style.replacements.items():
        try:
            tree = environment.parse(source, name)
        except TemplateSyntaxError as error:
            yield f"{name}, line {error.lineno}: {str(error.message).rstrip('.')}."
            continue
        if "/" not in name and "subject" not in {block.name for block in tree.find_all(nodes.Block)}:
            yield f"{name} has no block 'subject'."
        known = _names_of(name.removesuffix(".jinja"))
        for unknown in sorted(meta.find_undeclared_variables(tree) - known - set(_defined(tree))):
            yield f"{name} uses '{unknown}', which its mails do not have."


def _defined(tree: nodes.Template) -> Iterator[str]:
    """Finds what a template imports or sets itself: jinja does not see that its blocks may use it."""
    for imported in tree.find_all(nodes.FromImport):
        yield from (name if isinstance(name, str) else name[1] for name in imported.names)
    yield from (imported.target for imported in tree.find_all(nodes.Import))
    yield from (macro.name for macro in tree.find_all(nodes.Macro))
    yield from (name.name for name in tree.find_all(nodes.Name) if name.ctx == "store")


def _names_of(name: str) -> set[str]:
    """Returns the names that a mail's template may use, for a shared template those that all mails have."""
    renderer = MailRenderer("", _SENDER)
    found: list[set[str]] = []
    for letter in [name] if name in templates.letters() else templates.letters():
        found += [set(renderer.context_of(content, _AT)) for content in samples(letter)]
    return set.intersection(*found) | _SHARED


def _unusable(style: MailStyle, public_url: str) -> Iterator[str]:
    """Renders all mails."""
    renderer = MailRenderer(public_url, _SENDER, style)
    for letter in templates.letters():
        for content in samples(letter):
            try:
                written = renderer.render(content, _AT)
            except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
                yield _raised(error, letter)
                continue
            blamed = _blamed(letter, style.replacements)
            if not written.subject:
                yield f"{blamed}: the block 'subject' is empty."
            context = renderer.context_of(content, _AT)
            for name in REQUIRED.get(letter, ()):
                for kind, body in (("text", written.text), ("HTML", written.html)):
                    if not _shows(body, context[name]):
                        yield f"{blamed}: the {kind} of the mail '{letter}' does not show {name}."


def _shows(body: str, value: Any) -> bool:
    return all(one in body for one in ([value] if isinstance(value, str) else value))


def _blamed(letter: str, replacements: Mapping[str, str]) -> str:
    """Returns the operator's file that a mail is made of: its own, or the shared ones."""
    own = f"{letter}.jinja"
    return own if own in replacements else ", ".join(name for name in replacements if "/" in name)


def _raised(error: Exception, letter: str) -> str:
    """jinja shows a template's own lines in the traceback."""
    lines = [one for one in traceback.extract_tb(error.__traceback__) if one.filename.endswith((".jinja", ".css"))]
    place = f"{lines[-1].filename}, line {lines[-1].lineno}" if lines else f"{letter}.jinja"
    what = "" if isinstance(error, UndefinedError | TemplateError) else f"{type(error).__name__}: "
    return f"{place}: {what}{str(error).rstrip('.')}."
