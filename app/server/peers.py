"""Who is connected to this process: how many connections in all, of one network address, and what they have not read.

Behind proxies every connection has the proxy's address, and on this machine everybody has the same: there only the
number in all counts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from ipaddress import IPv6Address, ip_address

from app.domain.users.ip_addresses import network
from app.server.limits import LINGERING, UNREAD_BYTES


class Peers:
    """`most` connections in all, `most_each` of one address (an IPv6 network of 64 bits counts as one); None: any."""

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
        """Count one more connection; False when it is one too many. Each is counted until `leave`, refused or not."""
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
        """Whether one more refused connection may stay until its client has read why."""
        if self._lingering >= LINGERING:
            return False
        self._lingering += 1
        return True

    def lingered(self) -> None:
        self._lingering -= 1

    def stopped_reading(self, transport: asyncio.WriteTransport) -> None:
        """The client behind `transport` does not take its answer. Those that have waited longest make room."""
        self._unread[transport] = None
        unread = {one: one.get_write_buffer_size() for one in self._unread}
        total = sum(unread.values())
        while total > UNREAD_BYTES:
            oldest = next(iter(self._unread))
            total -= unread[oldest]
            del self._unread[oldest]
            oldest.abort()

    def reads_again(self, transport: asyncio.WriteTransport) -> None:
        """Also for a connection that is over."""
        self._unread.pop(transport, None)

    def _counted(self, address: str | None) -> str:
        """What a connection is counted under besides the total, or nothing."""
        if address is None or self._most_each is None:
            return ""
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return ""
        parsed = (isinstance(parsed, IPv6Address) and parsed.ipv4_mapped) or parsed
        return "" if parsed.is_loopback else network(str(parsed))
