"""The tables of docs/sizing.md: capacity from the benchmark's results, load from the assumptions the page states."""

from __future__ import annotations

from typing import Final

import msgspec

from tests.docs.markers import ROOT

ROWS: Final = {
    "send_64": ("sends over REST", "a second"),
    "socket_send_64": ("sends over sockets", "a second"),
    "page_50": ("pages of 50 messages", "a second"),
    "list_50": ("conversation lists of 50", "a second"),
    "fanout_1000": ("deliveries to sockets, in a burst", "a second"),
    "hello_20": ("sockets opened, with 20 conversations each", "a second"),
    "sockets_10000_connects": ("the same while 10,000 sockets open", "a second"),
    "sockets_10000_mb": ("memory of a process with 10,000 sockets", "MB"),
    "notify": ("notification decisions of one worker", "a second"),
}

PEOPLE: Final = (50, 500, 5_000, 50_000)
MESSAGES_A_DAY: Final = 50
SHARE_OF_BUSIEST_HOUR: Final = 1 / 5
BUSIEST_MINUTE: Final = 5
"""Times the average of the busiest hour."""

READS_A_SEND: Final = 10
CONNECTED: Final = 1 / 3
CONNECTED_MEMBERS: Final = 7
MESSAGE_BYTES: Final = 520
"""In Postgres, with four indexes: docs/performance.md, "On paper"."""


def measured() -> dict[str, float]:
    results = msgspec.json.decode((ROOT / "bench" / "results.json").read_bytes())
    return {row["name"]: row["value"] for row in results["rows"]}


def capacity() -> str:
    values = measured()
    rows = [f"| {what} | {values[name]:,.0f} {unit} |" for name, (what, unit) in ROWS.items()]
    return "\n".join(["| one process | measured |", "|---|---|", *rows])


def sends_a_second(people: int) -> float:
    """In the busiest minute."""
    return people * MESSAGES_A_DAY * SHARE_OF_BUSIEST_HOUR / 3_600 * BUSIEST_MINUTE


def load() -> str:
    columns = ("people", "sockets", "sends a second", "requests a second", "deliveries a second", "messages a year")
    lines = ["| " + " | ".join((*columns, "in Postgres after a year")) + " |", "|---|---|---|---|---|---|---|"]
    for people in PEOPLE:
        sends, year = sends_a_second(people), people * MESSAGES_A_DAY * 365
        cells = (
            f"{people:,}",
            f"{people * CONNECTED:,.0f}",
            f"{sends:,.1f}",
            f"{sends * (1 + READS_A_SEND):,.0f}",
            f"{sends * CONNECTED_MEMBERS:,.0f}",
            f"{year / 1e6:,.1f} million",
            f"{year * MESSAGE_BYTES / 1e9:,.1f} GB",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
