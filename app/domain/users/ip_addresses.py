"""Where a request comes from, believing only the proxies that are ours.

Each proxy appends the address it heard from to `X-Forwarded-For`. With N proxies of ours in front, the N-th entry from
the right is what our outermost proxy saw; everything left of it was written by the client, who may write anything.
With 0 the header is not read at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

UNKNOWN = "unknown"
WIDER = (56, 48)
"""Bits. RFC 6177: a site gets a /56 or a /48."""


def client_address(peer: str | None, forwarded: Iterable[str], hops: int) -> str:
    """The client's address, or "unknown".

    `peer` is the other end of the connection, `forwarded` the values of X-Forwarded-For in the order received, `hops`
    how many proxies are ours. A header with fewer entries did not come through all of them: then the peer counts.
    """
    entries = ",".join(forwarded).split(",") if hops else []
    found = _parse(entries[-hops]) if 0 < hops <= len(entries) else None
    found = found or _parse(peer or "")
    return str(found) if found else UNKNOWN


def network(address: str) -> str:
    """What throttles count by: an IPv4 address, or the /64 an IPv6 one is in, since one client owns all of that."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return address


def wider(address: str) -> tuple[str, ...]:
    """The /56 and the /48 that an IPv6 address (or its network) is in, which providers give to one customer; none of an
    IPv4 address."""
    parsed = _parse(address.partition("/")[0])
    if not isinstance(parsed, IPv6Address):
        return ()
    return tuple(str(ip_network((parsed, bits), strict=False)) for bits in WIDER)


def site(address: str) -> str:
    """The widest network that may be one owner's: an IPv4 address, or the /48 of an IPv6 one."""
    return (wider(address) or (address,))[-1]


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Understands `1.2.3.4`, `1.2.3.4:5`, `::1`, `[::1]:5`; an IPv4 address in IPv6's clothes is IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed
