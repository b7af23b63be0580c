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
    """At most `max_total` connections, `max_per_address` per address (an IPv6 /64 network is one). None: unlimited."""

    def __init__(self, *, max_total: int | None = None, max_per_address: int | None = None) -> None:
        self._max_total = max_total
        self._max_per_address = max_per_address
        self._total = 0
        self._per_address: Counter[str] = Counter()
        self._lingering = 0
        self._unread: dict[asyncio.WriteTransport, None] = {}

    def __len__(self) -> int:
        return self._total

    def enter(self, address: str | None) -> bool:
        """Counts a connection; returns False if it exceeds a limit. Refused or not, it counts until `leave`."""
        self._total += 1
        counted_as = self._counted_as(address)
        if counted_as:
            self._per_address[counted_as] += 1
        if self._max_total is not None and self._total > self._max_total:
            return False
        per_address = self._per_address[counted_as] if counted_as else 0
        return self._max_per_address is None or per_address <= self._max_per_address

    def leave(self, address: str | None) -> None:
        self._total -= 1
        counted_as = self._counted_as(address)
        if counted_as:
            self._per_address[counted_as] -= 1
            if not self._per_address[counted_as]:
                del self._per_address[counted_as]

    def start_linger(self) -> bool:
        """Returns whether another refused connection may linger until its client has read the response."""
        if self._lingering >= LINGERING:
            return False
        self._lingering += 1
        return True

    def end_linger(self) -> None:
        self._lingering -= 1

    def reading_stopped(self, transport: asyncio.WriteTransport) -> None:
        """Records that the client of `transport` stopped reading. Beyond UNREAD_BYTES, aborts the longest-stalled
        connections."""
        self._unread[transport] = None
        unread = {transport: transport.get_write_buffer_size() for transport in self._unread}
        total = sum(unread.values())
        while total > UNREAD_BYTES:
            oldest = next(iter(self._unread))
            total -= unread[oldest]
            del self._unread[oldest]
            oldest.abort()

    def reading_resumed(self, transport: asyncio.WriteTransport) -> None:
        """Also call it when a connection ends."""
        self._unread.pop(transport, None)

    def _counted_as(self, address: str | None) -> str:
        """Returns the network under which a connection counts besides the total, or an empty string."""
        if address is None or self._max_per_address is None:
            return ""
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return ""
        parsed = (isinstance(parsed, IPv6Address) and parsed.ipv4_mapped) or parsed
        return "" if parsed.is_loopback else network(str(parsed))
