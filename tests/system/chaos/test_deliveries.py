"""How late messages were: measured once for each socket, drawn with the faults, and held against a slow reader."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import msgspec
import pytest

from tests.system.chaos.checks.effects import a_slow_reader_slows_nobody
from tests.system.chaos.deliveries import deliveries
from tests.system.chaos.picture import drawn
from tests.system.chaos.record import Entry, Record, Removal, Timeline, Window
from tests.system.chaos.strains import STOPS_READING
from tests.system.chaos.truth import Truth

SPACE = "{http://www.w3.org/2000/svg}"
HERE = "conversation"


def received(key: str, at: float) -> Entry:
    frame = {"type": "message.created", "conversation": HERE, "data": {"client_id": key}}
    return Entry("received", at, msgspec.json.encode(frame))


def run() -> Record:
    """Three messages: Ada receives all, the first twice; Linus came after the first, and Eve was removed."""
    record = Record()
    record.began = 100.0
    for at in range(3):
        record.call("send", "grace", HERE, f"key {at}").began = 110.0 + at
    heard = [received("key 0", 110.5), received("key 1", 111.1), received("key 0", 120.0), received("key 2", 112.2)]
    record.timelines = [
        Timeline("ada", "Ada's 1", [Entry("opened", 105.0, "one"), *heard]),
        Timeline(
            "linus", "Linus's 1", [Entry("opened", 110.8, "two"), received("key 0", 111.0), received("key 1", 111.4)]
        ),
        Timeline("eve", "Eve's 1", [Entry("opened", 105.0, "one"), received("key 1", 119.0)]),
    ]
    record.removals = [Removal(user="eve", conversation=HERE, gone=110.0, at="")]
    record.windows = [
        Window(fault="Redis down", began=110.0, healed=112.0),
        Window(fault="<Postgres>", began=114.0, healed=115.0, problems=["I6: late"]),
        Window(fault="Redis down", began=116.0, healed=117.0),
    ]
    return record


def test_a_message_counts_once_for_each_socket_it_should_reach() -> None:
    assert [(at, round(delay, 3)) for at, delay in deliveries(run())] == [
        (110.5, 0.5),
        (111.1, 0.1),
        (111.4, 0.4),
        (112.2, 0.2),
    ]


def test_the_picture_has_a_band_for_each_fault_and_two_lines() -> None:
    root = ET.fromstring(drawn(run(), "a test"))
    bands = [one for one in root.iter(f"{SPACE}rect") if one.get("fill-opacity")]
    assert len(bands) == 3
    assert len({one.get("fill") for one in bands}) == 2
    assert len(list(root.iter(f"{SPACE}path"))) == 2
    words = [one.text for one in root.iter(f"{SPACE}text")]
    assert [one for one in words if one in ("1", "2")] == ["1", "2", "1"]
    assert {"1 Redis down", "2 <Postgres>"} <= set(words)


def test_an_empty_run_is_drawn() -> None:
    assert ET.fromstring(drawn(Record(), "nothing")).tag == f"{SPACE}svg"


@pytest.mark.parametrize(("beside", "violations"), [(0.012, 0), (5.0, 1)])
def test_a_slow_reader_must_not_slow_the_others(beside: float, violations: int) -> None:
    record = Record()
    record.windows = [Window(fault=STOPS_READING, began=1_080.0, healed=1_200.0)]
    ada = Timeline("ada", "Ada's 1", [Entry("opened", 0.0, "one")])
    for number in range(160):
        record.call("send", "grace", HERE, f"key {number}").began = began = 1_000.0 + number
        ada.entries.append(received(f"key {number}", began + (0.01 if number < 90 else beside)))
    record.timelines = [ada]
    assert len(a_slow_reader_slows_nobody(record, Truth({}, {}))) == violations
