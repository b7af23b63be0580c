"""The demo's users, conversations and lines. `^` marks a reply to the previous line; a URL becomes an image."""

from __future__ import annotations

from typing import Any, Final

PASSWORD: Final = "analytical-engine"  # noqa: S105 - public on purpose; these users exist only on the local machine

PEOPLE: Final = [
    ("Ada", "Lovelace"),
    ("Grace", "Hopper"),
    ("Linus", "Torvalds"),
    ("Katherine", "Johnson"),
    ("Alan", "Turing"),
    ("Margaret", "Hamilton"),
]

READ_UP_TO: Final = {"Linus": 3, "Katherine": 1, "Alan": 6}
"""Number of newest messages that each user has not read; all other users have read everything."""

CONVERSATIONS: Final[dict[str, dict[str, Any]]] = {
    "Engine room": {
        "creator": "Ada",
        "private": True,
        "members": ["Grace", "Linus", "Margaret"],
        "admins": ["Grace"],
        "lines": [
            ("Ada", "Good morning. The difference engine is on the bench, the analytical one in the drawings."),
            ("Grace", "Morning! I went through the log of last night. We have a visitor."),
            ("Grace", "https://example.org/relay-70-panel-f.jpg"),
            ("Margaret", "Is that… a moth?"),
            ("Grace", "^ First actual case of a bug being found. Taped into the book, relay 70, panel F."),
            ("Linus", "Given enough eyeballs, even that one was shallow."),
            ("Ada", "Please nobody debug with insects. What about the release?"),
            ("Margaret", "Priority display works. When the computer has too much to do it drops what may be dropped."),
            ("Margaret", "Landing is never dropped."),
            ("Linus", "^ That is the right kind of queue."),
            ("Ada", "Then let us write down what may be lost, and what never."),
            ("Grace", "Never: an acknowledged message. May: who is typing."),
            ("Ada", "Agreed. I'll put it over the door."),
        ],
    },
    "Reading club": {
        "creator": "Katherine",
        "private": False,
        "members": ["Ada", "Alan", "Margaret", "Grace"],
        "lines": [
            ("Katherine", "Next: “Computing Machinery and Intelligence”. The author is in the room, be kind."),
            ("Alan", "The author would like to be asked questions, in writing, through a wall."),
            ("Ada", "Question one: can it originate anything?"),
            ("Alan", "^ I was hoping you would ask. Section 6, objection 6 is yours."),
            ("Margaret", "I like that he lists the arguments against himself first."),
            ("Katherine", "And checks the numbers by hand. 🌙"),
            ("Grace", "I brought nanoseconds for everybody: 30 cm of wire each."),
            ("Alan", "Can machines think? Let us say: can they chat."),
        ],
    },
    "Lunch": {
        "creator": "Grace",
        "private": False,
        "members": ["Linus", "Alan", "Katherine", "Ada", "Margaret"],
        "lines": [
            ("Grace", "12:30, downstairs? It is easier to ask forgiveness than to get a table."),
            ("Linus", "In. Talk is cheap, show me the menu."),
            ("Alan", "Apples, I suppose."),
            ("Katherine", "I have computed the queue: 4 minutes if we leave at 12:21."),
            ("Margaret", "Leaving at 12:21."),
        ],
    },
}

DIRECT: Final = [
    (
        "Ada",
        "Grace",
        [
            ("Ada", "Do you have a minute about the compiler?"),
            ("Grace", "For you two. Nobody believes me that it works."),
            ("Ada", "I believed in programs before there was a machine."),
            ("Grace", "That's why I talk to you. 🙂"),
        ],
    ),
    (
        "Linus",
        "Alan",
        [
            ("Linus", "Your tape is infinite. What do you do about back-pressure?"),
            ("Alan", "I have been hoping nobody would ask."),
        ],
    ),
]
