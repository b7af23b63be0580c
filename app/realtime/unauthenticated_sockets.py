"""Sockets that are no user's: those that have not been admitted yet, and refused ones that have not gone.

They cost a task and a connection each, and anybody may open them. So there are only so many, of one address and of all
together; a socket beyond that is closed with 4429 before its token is even read.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv6Address, ip_address
from typing import Final

from app.domain.users.ip_addresses import network

MOST_STRANGERS: Final = 2_048
"""Of a process: more than come back at once after a restart, and about 100 MB."""

MOST_OF_AN_ADDRESS: Final = 128
"""An office behind one address reconnects at once; each takes some milliseconds."""


class UnauthenticatedSockets:
    """With `proxy_hops` above 0 all connections come from our own proxies: addresses are not told apart then."""

    def __init__(self, *, proxy_hops: int = 0) -> None:
        self._hops = proxy_hops
        self._of_address: Counter[str] = Counter()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def enter(self, peer: str | None) -> bool:
        """Whether a socket from `peer` may be looked at; then it must `leave`."""
        address = self._address(peer)
        if self._count >= MOST_STRANGERS or (address and self._of_address[address] >= MOST_OF_AN_ADDRESS):
            return False
        self._count += 1
        if address:
            self._of_address[address] += 1
        return True

    def leave(self, peer: str | None) -> None:
        """It was admitted, or is gone."""
        address = self._address(peer)
        self._count -= 1
        if address:
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]

    def _address(self, peer: str | None) -> str | None:
        """What `peer` counts as; None: not told apart (a proxy of ours, this machine itself, a Unix socket)."""
        if self._hops or not peer:
            return None
        try:
            found = ip_address(peer.partition("%")[0])
        except ValueError:
            return None
        if isinstance(found, IPv6Address):
            found = found.ipv4_mapped or found
        return None if found.is_loopback else network(str(found))
