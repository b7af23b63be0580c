"""What happens in a conversation while a client under test listens."""

from __future__ import annotations

from collections import Counter

from tests.clients.conftest import Stage
from tests.support.client import Person


async def two(stage: Stage) -> tuple[Person, Person, str]:
    """Ada, Grace, and the conversation of theirs, which Ada leads."""
    ada, grace = [await stage.here.register(name) for name in ("Ada", "Grace")]
    return ada, grace, await ada.converse(grace)


async def life(ada: Person, grace: Person, engines: str) -> None:
    """All that may happen in a conversation."""
    said = [(await ada.say(engines, f"said {number}")).good(201) for number in range(4)]
    (await grace.say(engines, "answered")).good(201)
    for message, text in ((said[1], "edited"), (said[3], "edited too")):
        (await ada.call("PATCH", f"/conversations/{engines}/messages/{message['id']}/", {"text": text})).good(200)
    (await ada.call("DELETE", f"/conversations/{engines}/messages/{said[2]['id']}/")).good(204)
    (await ada.call("PATCH", f"/conversations/{engines}/", {"name": "Engine room"})).good(200)
    for verb in ("make_admin", "remove_admin"):
        await ada.post(f"/conversations/{engines}/{verb}/", user=grace.id)
    (await grace.call("PUT", f"/conversations/{engines}/read/", {"seq": said[1]["seq"]})).good(200)


async def stored(person: Person, conversation: str) -> Counter[str]:
    """Counts the stored messages by text."""
    return Counter(message["text"] for message in await person.history(conversation))
