"""What the people of `chat demo` say to each other while it runs, and to a visitor who writes to them."""

from __future__ import annotations

from typing import Final

Exchange = tuple[tuple[str, str], ...]
"""Lines of a conversation, each (first name, text), in order."""

TALKS: Final[dict[str, tuple[Exchange, ...]]] = {
    "Engine room": (
        (
            ("Ada", "Has the night's run finished?"),
            ("Linus", "At four. No message lost, none twice."),
            ("Margaret", "How often was Postgres restarted?"),
            ("Linus", "Eleven times. It complained less than I did."),
            ("Grace", "Put the seed in the log, and we can run the same night again."),
        ),
        (
            ("Grace", "I stopped Redis at noon and forgot to say so."),
            ("Ada", "I saw it. Everything came a second late, and in order."),
            ("Margaret", "Then nobody else noticed."),
            ("Linus", "The graph noticed. Nice dent, by the way."),
        ),
        (
            ("Margaret", "Who has the list of what may be dropped?"),
            ("Ada", "It is over the door: who is typing, and nothing else."),
            ("Grace", "And presence."),
            ("Ada", "And presence. I need a wider door."),
        ),
        (
            ("Linus", "Reviewed the patch. One comment, twelve words shorter."),
            ("Margaret", "Shorter is safer. Thank you."),
            ("Grace", "Merged. I waited for a second pair of eyes this time."),
        ),
    ),
    "Lunch": (
        (
            ("Katherine", "The queue is four minutes now and eleven at half past."),
            ("Alan", "I trust the numbers. I am on the stairs."),
            ("Grace", "Keep two chairs by the window."),
            ("Linus", "Make it three, I only came for the soup."),
        ),
        (
            ("Margaret", "Does the canteen take cards today?"),
            ("Katherine", "It did yesterday, and the day before. Two points make a line."),
            ("Ada", "I bring coins. A line is not a law."),
        ),
        (
            ("Grace", "Somebody left a slide rule beside the coffee."),
            ("Alan", "Mine. I was computing the milk."),
            ("Katherine", "And the answer?"),
            ("Alan", "Less than Linus takes."),
            ("Linus", "I deny nothing."),
        ),
        (
            ("Ada", "There is cake in room 4. Nobody says why."),
            ("Margaret", "Do we need a reason?"),
            ("Katherine", "We need forks. I have counted: six."),
        ),
    ),
    "Reading club": (
        (
            ("Katherine", "Chapter two for Thursday. It is short and has one figure."),
            ("Alan", "The figure is wrong in my edition."),
            ("Ada", "In mine too. Let us correct it in pencil."),
            ("Margaret", "In ink. We are sure."),
        ),
        (
            ("Ada", "Does the author say what the machine may not do?"),
            ("Alan", "In a footnote. It is the best part."),
            ("Grace", "The best parts are always in the footnotes."),
        ),
        (
            ("Margaret", "I read it aloud to my daughter. She pressed every key at once."),
            ("Katherine", "And what did the machine do?"),
            ("Margaret", "It showed an error and went on. Just as it should."),
            ("Alan", "Then she has passed the test."),
        ),
    ),
}

REPLIES: Final = (
    "Good to see you here.",
    "I was about to write the same.",
    "Can you say more about that?",
    "Agreed. Shall we write it down?",
    "Let me check, and then I answer properly.",
    "Not while I am eating.",
    "That is a better question than mine.",
    "I have seen that once, in a log at four in the morning.",
)

VISITED: Final = ("Engine room", "Lunch")
"""The conversations to which the first operator is added."""
