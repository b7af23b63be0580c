"""Counts this process's connections, in total and per network address, and tracks responses that clients do not read.

Behind a proxy all connections share the proxy's address, and local ones share loopback: there only the total counts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from ipaddress import IPv6Address, ip_address

from app.domain.users.client_address import network
from app.server.limits import LINGERING, UNREAD_BYTES


class Peers:
    """At most `most` connections, `most_each` per address (an IPv6 /64 network counts as one); None: unlimited."""

    def __init__(self, *, most: int | None = None, most_each: int | None = None) -> None:
        self._most = most
        self._most_each = most_each
        self._all = 0
        self._of: Counter[str] = Counter()
        self._lingering = 0
        self._unread: dict[asyncio.WriteTransport, None] = {}

    def __len__(self) -> int:
        return self._all

    def enter(self, address: str | None) -> bool:
        """Counts a connection; returns False if it exceeds a limit. Refused or not, it counts until `leave`."""
        self._all += 1
        name = self._counted(address)
        if name:
            self._of[name] += 1
        crowded = self._most is not None and self._all > self._most
        return not crowded and not (name and self._most_each is not None and self._of[name] > self._most_each)

    def leave(self, address: str | None) -> None:
        self._all -= 1
        name = self._counted(address)
        if name:
            self._of[name] -= 1
            if not self._of[name]:
                del self._of[name]

    def linger(self) -> bool:
        """Returns whether another refused connection may linger until its client has read the response."""
        if self._lingering >= LINGERING:
            return False
        self._lingering += 1
        return True

    def lingered(self) -> None:
        self._lingering -= 1

    def stopped_reading(self, transport: asyncio.WriteTransport) -> None:
        """Records that the client of `transport` stopped reading. Beyond UNREAD_BYTES, aborts the longest-stalled
        connections."""
        self._unread[transport] = None
        unread = {one: one.get_write_buffer_size() for one in self._unread}
        total = sum(unread.values())
        while total > UNREAD_BYTES:
            oldest = next(iter(self._unread))
            total -= unread[oldest]
            del self._unread[oldest]
            oldest.abort()

    def reads_again(self, transport: asyncio.WriteTransport) -> None:
        """Also call it when a connection ends."""
        self._unread.pop(transport, None)

    def _counted(self, address: str | None) -> str:
        """Returns the network under which a connection counts besides the total, or an empty string."""
        if address is None or self._most_each is None:
            return ""
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return ""
        parsed = (isinstance(parsed, IPv6Address) and parsed.ipv4_mapped) or parsed
        return "" if parsed.is_loopback else network(str(parsed))
