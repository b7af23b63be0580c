"""What the guide writes: a greeting, and an answer for each of the words that it knows."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from app.domain.welcome.first_link import OPERATOR_ADDRESS


class KnownWords(NamedTuple):
    """A message with one of `words` gets `answer`. The first word stands for the others in the answer to "help"."""

    words: frozenset[str]
    name: str
    answer: str


def _lines(text: str) -> str:
    return " ".join(text.split())


def _known(words: str, answer: str) -> KnownWords:
    return KnownWords(frozenset(words.split()), words.partition(" ")[0], _lines(answer))


_GREETING: Final = """
Hello, and welcome to your chat. It runs on this machine, you are its first operator, and I am a program that answers in
this conversation.

First try two windows: open this page in a second one, log in there as another person, and write in both. `make demo` in
a second terminal adds six people who type and answer each other.

Then pull the plug: it stops Redis or the API for ten seconds. Both windows go on, and nothing that you write meanwhile
is lost or stored twice.

/docs has the REST API and /docs/socket the WebSocket; /guide/ has all documents. Write “help” to see what else I can
answer.
"""
GREETING: Final = tuple(_lines(part) for part in _GREETING.split("\n\n"))

ANSWERS: Final = (
    _known(
        "plug outage redis offline restart",
        """The plug stops Redis or the API for up to thirty seconds, and `chat up` starts it again. Without Redis the
        chat reads live events from Postgres, a second late. Without the API the page keeps what you write and sends it
        once, when the API is back.""",
    ),
    _known(
        "demo people users",
        """`make demo` in a second terminal creates six people with three groups and two direct conversations, and
        prints their logins. In a terminal they go on typing until Ctrl-C, and they answer you in Engine room and
        Lunch.""",
    ),
    _known(
        "password login account",
        f"""Your account is {OPERATOR_ADDRESS} and has no password yet. `.venv/bin/chat create-operator
        {OPERATOR_ADDRESS}` sets one and ends this login. So does the mail for a forgotten password, which is a file in
        .data/mail until SMTP_URL is set.""",
    ),
    _known(
        "docs documents documentation guide tutorial",
        """All documents are at /guide/, with a search: a tutorial, an API guide, how to run it, and why it is built
        this way. /docs has every route, to be called from the page.""",
    ),
    _known(
        "api rest curl socket websocket client typescript python",
        """Clients use REST for what they change and one WebSocket for what they receive. /docs and /docs/socket
        describe every route and frame, /openapi.json and /asyncapi.json are for programs, and /guide/api-guide.html
        says how it fits together.""",
    ),
    _known(
        "ops operator operators admin metrics status",
        """Operators send broadcasts, change throttles, look at queues, failed tasks and the audit log, and suspend
        accounts: /guide/operations.html. `.venv/bin/chat status` shows the state of the whole chat.""",
    ),
    _known(
        "mail mails email smtp",
        "Until SMTP_URL is set, each mail is a file in .data/mail, newest last. Any mail program opens it.",
    ),
    _known(
        "stop quit exit production deploy",
        """Ctrl-C in the terminal of `make up` stops everything, and the data stays in .data. How to run it for others,
        with compose, systemd or Render, is in /guide/operations.html.""",
    ),
    _known(
        "hello hi hey hallo morning",
        "Hello! Write “help” to see what I can answer, or open a second window and talk to a person.",
    ),
    _known("thanks thank danke great nice cool", "You are welcome."),
)

HELP_WORDS: Final = frozenset({"help", "hilfe", "commands"})
HELP: Final = "I know these words: {}. For everything else there is /guide/, which has a search."
_WORD: Final = re.compile(r"\w+")

FALLBACKS: Final = (
    "I am a small program and did not understand that. Write “help” to see the words that I know.",
    "That is beyond me, but it is stored, numbered and delivered. Try “plug”, “demo” or “docs”.",
    "A person would have an answer to that. `make demo` in a second terminal brings six.",
)
NOT_A_TEXT: Final = "I see only text. What you sent is in the log all the same."


def answer_to(text: str, seq: int) -> str:
    """Returns the answer to a message, whose text may be empty; `seq` chooses among the fallbacks."""
    if not text:
        return NOT_A_TEXT
    words = set(_WORD.findall(text.casefold()))
    if words & HELP_WORDS:
        return HELP.format(", ".join(known.name for known in ANSWERS))
    answers = (known.answer for known in ANSWERS if words & known.words)
    return next(answers, FALLBACKS[seq % len(FALLBACKS)])
