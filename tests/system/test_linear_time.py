"""No text of a stranger's makes us slow: every pattern of the program reads its worst case in linear time.

A pattern is found by looking through all modules below app/, so a new one without a case fails here. The cases are
what makes a backtracking engine read the same characters again: a beginning that matches at many places, and an end
that never does.
"""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

import app
from app.api.errors.fields import field_errors
from app.api.request import _placed
from app.domain.auth.devices import _kind
from app.domain.cursors import Keyset
from app.domain.errors import Invalid
from app.domain.messages.mentions import names_in
from app.domain.users.client_address import client_address
from app.domain.users.email_addresses import canonical, check_email, key_of, mailbox_of
from app.tasks.letters import headers
from app.telemetry.redaction import redacted
from app.telemetry.request_log import _on_one_line

SHORT = 16 * 1024
TIMES = 4
MOST_GROWTH = 9.0
"""Linear is 4 and quadratic 16; the machine has other work."""

QUICK_SECONDS = 0.002
"""What is over sooner is not measured by a ratio: it is no danger at this length."""

NOT_OF_STRANGERS = ("app.worker", "app.local")
"""The front door of Celery, which imports no pattern of its own; embedded servers."""


class At(msgspec.Struct, frozen=True):
    at: int


def repeated(unit: str, start: str = "", end: str = "") -> Callable[[int], str]:
    return lambda length: (start + unit * (length // len(unit) + 1))[:length] + end


PATTERNS: dict[str, list[Callable[[int], str]]] = {
    "app.api.errors.fields._INDEX": [repeated("[1"), repeated("1", "[")],
    "app.api.errors.fields._FIELD_ERROR": [
        repeated("x", "Object contains unknown field `"),
        repeated("Object contains "),
    ],
    "app.api.errors.fields._BOUND": [repeated("a", "Expected `"), repeated("1", "Expected `int` >= ", "!")],
    "app.api.pages.web_app._DIGEST": [repeated("-"), repeated("-0123456789."), repeated("a", "-0123456789.", "!")],
    "app.development.guide_texts._WORD": [repeated("a "), repeated("a")],
    "app.domain.messages.mentions._NAMED": [repeated("@a "), repeated("@"), repeated("a", "@"), repeated(" @a@")],
    "app.domain.operators.queries._ID": [repeated("0"), repeated("00000000-0000-")],
    "app.domain.origins._LABELS": [repeated("a."), repeated("a-"), repeated("a", end="!"), repeated("a" * 63 + ".")],
    "app.domain.origins._PATH": [repeated("/a"), repeated("a", "/", "!"), repeated("/")],
    "app.domain.origins._PORT": [repeated(":1"), repeated("1", ":")],
    "app.domain.orm._TRIGRAM": [repeated("_"), repeated("aa ")],
    "app.domain.validation._BIDI": [repeated("a")],
    "app.domain.validation._CONTROL": [repeated("a")],
    "app.domain.validation._UNSTORABLE": [repeated("a")],
    "app.domain.auth.devices._VERSIONS": [repeated("1."), repeated("1a")],
    "app.domain.users.idna_domains._ASCII_LABEL": [repeated("a-"), repeated("a", end="!")],
    "app.domain.users.email_addresses._SHAPE": [
        repeated("a.", "a@"),
        repeated("a-", "a@"),
        repeated("a", "a@", "-"),
        repeated("a" * 63 + ".", "a@", "!"),
    ],
    "app.throttling.usage_mover._FIELD": [
        repeated("}:a:", "throttle:{"),
        repeated("}", "throttle:{"),
        repeated("throttle:{"),
    ],
    "app.settings._CERT": [repeated("?ssl_cert_reqs=CERT_"), repeated("&ssl_cert_reqs=", end="CERT_A")],
    "app.settings.checks._ADDRESS": [repeated("a"), repeated("a", "a://", " "), repeated("a://")],
    "app.settings.checks._MAILBOX": [repeated("<a@"), repeated("a@"), repeated("a<")],
    "app.tasks.letters.renderer.A_NAME": [repeated("a "), repeated("a", end="!")],
    "app.tasks.letters.renderer._EMPTY_LINES": [repeated("\n"), repeated("\n\na")],
    "app.tasks.task_stats._ADDRESS": [repeated("a"), repeated("a@"), repeated("@"), repeated("a", end=" ")],
    "app.tasks.letters.headers._ATOMS": [repeated("a "), repeated("a" * 60 + " ", end="(")],
    "app.tasks.letters.headers._LOCAL": [repeated("a"), repeated("a", end="@")],
    "app.tasks.letters.headers._MAILBOX": [repeated("a"), repeated("<"), repeated("a", "a<")],
    "app.tasks.letters.headers._PLAIN": [repeated("a "), repeated("a" * 60 + " ", end="\n")],
    "app.tasks.letters.headers._QUOTED": [repeated("\\"), repeated("\\a")],
    "app.tasks.letters.headers._UNPRINTABLE": [repeated("a"), repeated("\n")],
    "app.tasks.letters.headers._URL": [repeated("a", "https://", ">"), repeated("http")],
    "app.telemetry.redaction._DOTTED": [repeated("eyJ-", end="~"), repeated("eyJ.", end="~"), repeated("a")],
    "app.telemetry.request_log._ACCEPTABLE": [repeated("a"), repeated("a", end="!")],
    "app.telemetry.request_log._PLAIN": [repeated("a/", end="~")],
    # The rules of `redacted`, in their order.
    "app.telemetry.redaction._RULES[0]": [repeated("jwt."), repeated("bearer%20"), repeated("bearer bearer.")],
    "app.telemetry.redaction._RULES[1]": [repeated("token="), repeated("token"), repeated("set-cookie-")],
    "app.telemetry.redaction._RULES[2]": [
        repeated("\"token':'"),
        repeated(" ", '"token"'),
        repeated("\\'token\":\"'token':b"),
        repeated('\\"', "'token':\""),
    ],
    "app.telemetry.redaction._RULES[3]": [repeated("\n", "cookie:", '"'), repeated("cookie "), repeated("cookie:\n")],
    "app.telemetry.redaction._RULES[4]": [repeated(":a", "://a"), repeated("://a:"), repeated("://")],
    "app.telemetry.redaction._RULES[5]": [repeated('"WebSocket '), repeated("a", '"WebSocket '), repeated("?")],
    "app.telemetry.redaction._RULES[6]": [repeated("[parameters: "), repeated("[parameters:")],
    "app.telemetry.redaction._RULES[7]": [repeated("DETAIL:"), repeated("Failing row ")],
}


def _field_name(length: int) -> str:
    """What msgspec says of a body whose field has the name of a place, over and over."""
    name = repeated(" - at `$.", end=">\n")(length)
    return f"Object contains unknown field `{name}`"


def _refused(check: Callable[[str], Any]) -> Callable[[str], Any]:
    def requested(text: str) -> None:
        with pytest.raises(Invalid):
            check(text)

    return requested


PARSERS: dict[str, tuple[Callable[[str], Any], Callable[[int], str]]] = {
    "what is wrong with a body": (_placed, _field_name),
    "faults of a body": (lambda text: field_errors([{"key": text, "message": text}]), _field_name),
    "faults of nested lists": (lambda text: field_errors([{"key": text, "message": text}]), repeated("[1]")),
    "redaction of a token without an end": (redacted, repeated("eyJ-", end="~")),
    "redaction of unfinished tokens": (redacted, repeated("eyJabcdef.a ")),
    "a path with line breaks": (_on_one_line, repeated("\n")),
    "mentions": (names_in, repeated("@a ")),
    "an address in capitals": (key_of, repeated("\u0130")),
    "an address of many labels": (_refused(check_email), repeated("a.", "a@")),
    "an address of many accents": (_refused(check_email), repeated("\u0315\u0300", "a")),
    "an address of many dots": (canonical, repeated(".xn--", "a@")),
    "the mailbox of an address": (mailbox_of, repeated("+.", "a@ü")),
    "a subject": (headers.text, repeated("=?utf-8?q?=0a")),
    "a subject of accents": (headers.text, repeated("é")),
    "a device": (_kind, repeated("1.a")),
    "a cursor": (_refused(Keyset("linear", At).key), repeated("a")),
    "forwarded addresses": (lambda text: client_address("192.0.2.1", [text], 1), repeated("1,")),
    "a forwarded address of digits": (lambda text: client_address("192.0.2.1", [text], 1), repeated("1")),
    "a forwarded address of colons": (lambda text: client_address("192.0.2.1", [text], 1), repeated(":")),
}


def modules() -> Iterator[tuple[str, str]]:
    root = Path(app.__path__[0])
    for path in sorted(root.rglob("*.py")):
        name = ".".join(("app", *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")
        if not name.endswith("__main__") and not name.startswith(NOT_OF_STRANGERS):
            yield name, path.read_text(encoding="utf-8")


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _calls_of_re(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    for call in _calls(tree):
        verb = call.func
        if isinstance(verb, ast.Attribute) and ast.unparse(verb.value) == "re" and verb.attr != "escape":
            yield call, verb.attr


Pattern = tuple[re.Pattern[Any], set[str]]
"""With the verbs it is used by: what is quadratic in a search may be linear in a `fullmatch`."""


def patterns() -> Iterator[tuple[str, Pattern]]:
    """Every compiled pattern of the program's modules, by its name."""
    for module, source in modules():
        if not any(_calls_of_re(ast.parse(source))):
            continue
        for name, value in vars(importlib.import_module(module)).items():
            if isinstance(value, re.Pattern):
                yield f"{module}.{name}", (value, set(re.findall(rf"\b{name}\.(\w+)\(", source)))
            elif isinstance(value, list | tuple):
                for at, item in enumerate(value):
                    for one in item if isinstance(item, tuple) else (item,):
                        if isinstance(one, re.Pattern):
                            yield f"{module}.{name}[{at}]", (one, {"sub"})


FOUND = dict(patterns())


def test_every_pattern_of_the_program_has_a_worst_case() -> None:
    assert sorted(PATTERNS) == sorted(FOUND)


def test_patterns_are_compiled_at_the_top_of_a_module_where_this_test_finds_them() -> None:
    hidden = []
    for name, source in modules():
        tree = ast.parse(source)
        seen = {id(call) for top in tree.body if isinstance(top, ast.Assign | ast.AnnAssign) for call in _calls(top)}
        hidden += [
            f"{name}:{call.lineno}" for call, verb in _calls_of_re(tree) if verb != "compile" or id(call) not in seen
        ]
    assert hidden == []


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_a_pattern_reads_its_worst_case_in_linear_time(name: str) -> None:
    pattern, verbs = FOUND[name]
    assert verbs
    for case in PATTERNS[name]:
        subject = (lambda text: text.encode("utf-8", "replace")) if isinstance(pattern.pattern, bytes) else str
        for verb in verbs:
            read = getattr(pattern, verb)
            assert_linear(partial(read, "") if verb == "sub" else read, case, subject)


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_a_parser_reads_its_worst_case_in_linear_time(name: str) -> None:
    parse, case = PARSERS[name]
    assert_linear(parse, case, str)


def assert_linear(read: Callable[[Any], Any], case: Callable[[int], str], subject: Callable[[str], Any]) -> None:
    short, long = subject(case(SHORT)), subject(case(SHORT * TIMES))
    before = taken = 1.0
    for _ in range(3):
        before, taken = _seconds(read, short), _seconds(read, long)
        if taken < QUICK_SECONDS or taken / before < MOST_GROWTH:
            return
    raise AssertionError(f"{len(long)} characters took {taken / before:.1f} times as long as {len(short)}")


def _seconds(read: Callable[[Any], Any], text: Any) -> float:
    taken = []
    for _ in range(3):
        began = time.thread_time()
        read(text)
        taken.append(time.thread_time() - began)
    return min(taken)
