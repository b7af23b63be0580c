"""Counts this process's connections and refusals, in total and per network address, and the responses left unread.

Behind a proxy all connections share the proxy's address, and local ones share loopback: there only the total counts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from ipaddress import IPv6Address, ip_address

from app.domain.users.client_address import network
from app.server.limits import LINGERING, UNREAD_BYTES
from app.server.refusal_counts import RefusalCounts


class Peers:
    """At most `max_total` connections, `max_per_address` per address (an IPv6 /64 network is one). None: unlimited."""

    def __init__(self, *, max_total: int | None = None, max_per_address: int | None = None) -> None:
        self._max_total = max_total
        self._max_per_address = max_per_address
        self._total = 0
        self._per_address: Counter[str] = Counter()
        self._refusals = RefusalCounts()
        self._lingering = 0
        self._unread: dict[asyncio.WriteTransport, None] = {}

    def __len__(self) -> int:
        return self._total

    def enter(self, address: str | None) -> bool:
        """Counts a connection; returns False if it exceeds a limit, or if its address has caused too many refusals.
        Refused or not, it counts until `leave`."""
        self._total += 1
        counted_as = self._counted_as(address)
        if counted_as:
            self._per_address[counted_as] += 1
        if self._max_total is not None and self._total > self._max_total:
            return False
        if self._max_per_address is None or not counted_as:
            return True
        return self._per_address[counted_as] <= self._max_per_address and self._refusals.admits(counted_as)

    def caused_refusal(self, address: str | None) -> None:
        """Counts a refused request or a closed socket whose client broke a limit of the protocol."""
        counted_as = self._counted_as(address)
        if counted_as:
            self._refusals.add(counted_as)

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
