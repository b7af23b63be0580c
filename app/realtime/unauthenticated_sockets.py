"""Counts sockets without a user: those not admitted yet, and refused ones that are not closed yet.

Each costs a task and a connection, and anyone can open one. So their number is limited, per address and in total. A
socket beyond the limit is closed with 4429 before its token is read.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv6Address, ip_address
from typing import Final

from app.domain.users.client_address import network

MAX_UNAUTHENTICATED: Final = 2_048
"""Per process: more than reconnect at once after a restart; about 100 MB of memory."""

MAX_PER_ADDRESS: Final = 128
"""Enough for an office behind one address that reconnects at once; each handshake takes a few milliseconds."""


class UnauthenticatedSockets:
    """With `proxy_hops` above 0, all connections come from our own proxies, so there is no limit per address."""

    def __init__(self, *, proxy_hops: int = 0) -> None:
        self._hops = proxy_hops
        self._of_address: Counter[str] = Counter()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def enter(self, peer: str | None) -> bool:
        """Whether a socket from `peer` may start its handshake. If so, the caller must call `leave` later."""
        address = self._address(peer)
        if self._count >= MAX_UNAUTHENTICATED or (address and self._of_address[address] >= MAX_PER_ADDRESS):
            return False
        self._count += 1
        if address:
            self._of_address[address] += 1
        return True

    def leave(self, peer: str | None) -> None:
        """The socket was admitted or is closed."""
        address = self._address(peer)
        self._count -= 1
        if address:
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]

    def _address(self, peer: str | None) -> str | None:
        """The network `peer` counts under, or None without a limit per address (own proxy, loopback, Unix socket)."""
        if self._hops or not peer:
            return None
        try:
            found = ip_address(peer.partition("%")[0])
        except ValueError:
            return None
        if isinstance(found, IPv6Address):
            found = found.ipv4_mapped or found
        return None if found.is_loopback else network(str(found))
