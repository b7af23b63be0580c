"""The client's address, trusting only our own proxies.

Each proxy appends the address of its peer to `X-Forwarded-For`. With N proxies of ours in front, the N-th entry from
the right is what our outermost proxy saw; everything left of it comes from the client and may be forged. With 0 the
header is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

UNKNOWN = "unknown"
WIDER = (56, 48)
"""Bits. RFC 6177: a site gets a /56 or a /48."""


def client_address(peer: str | None, forwarded: Iterable[str], hops: int) -> str:
    """Returns the client's address, or "unknown".

    `peer` is the other end of the connection, `forwarded` the values of X-Forwarded-For in the order received, `hops`
    the number of our proxies. A header with fewer entries did not pass through all of them: then `peer` is used.
    """
    entries = ",".join(forwarded).split(",") if hops else []
    found = _parse(entries[-hops]) if 0 < hops <= len(entries) else None
    found = found or _parse(peer or "")
    return str(found) if found else UNKNOWN


def network(address: str) -> str:
    """Returns the throttling key: an IPv4 address, or the /64 of an IPv6 one, because one client owns all of it."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return address


def wider(address: str) -> tuple[str, ...]:
    """Returns the /56 and /48 of an IPv6 address or network, which providers assign to one customer. Empty for IPv4."""
    parsed = _parse(address.partition("/")[0])
    if not isinstance(parsed, IPv6Address):
        return ()
    return tuple(str(ip_network((parsed, bits), strict=False)) for bits in WIDER)


def site(address: str) -> str:
    """Returns the widest network that may have one owner: an IPv4 address, or the /48 of an IPv6 one."""
    return (wider(address) or (address,))[-1]


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Parses `1.2.3.4`, `1.2.3.4:5`, `::1`, `[::1]:5`; an IPv4-mapped IPv6 address becomes IPv4."""
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
