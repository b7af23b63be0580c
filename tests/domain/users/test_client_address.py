"""Where a request comes from, and what cannot be forged about it."""

from __future__ import annotations

import pytest

from app.domain.users.client_address import client_address, network, site, wider

PEER = "203.0.113.9"


@pytest.mark.parametrize("forwarded", [[], ["1.1.1.1"], ["1.1.1.1, 2.2.2.2"], ["1.1.1.1", "2.2.2.2"]])
def test_x_forwarded_for_is_ignored_without_trusted_proxies(forwarded: list[str]) -> None:
    assert client_address(PEER, forwarded, 0) == PEER


@pytest.mark.parametrize(
    "forged", [[], ["9.9.9.9"], ["9.9.9.9, 8.8.8.8"], ["", "junk"], ["127.0.0.1, 10.0.0.1", "::1"]]
)
def test_forged_entries_of_x_forwarded_for_are_ignored(forged: list[str]) -> None:
    assert client_address(PEER, [*forged, "198.51.100.7"], 1) == "198.51.100.7"
    assert client_address(PEER, [*forged, "198.51.100.7, 192.0.2.1"], 2) == "198.51.100.7"
    assert client_address(PEER, [*forged, "198.51.100.7", "192.0.2.1"], 2) == "198.51.100.7"


@pytest.mark.parametrize("forwarded", [[], ["198.51.100.7"], ["nonsense, 192.0.2.1"], [", 192.0.2.1"]])
def test_a_header_with_fewer_hops_than_trusted_proxies_is_ignored(forwarded: list[str]) -> None:
    assert client_address(PEER, forwarded, 2) == PEER


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("198.51.100.7:4711", "198.51.100.7"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_addresses_are_parsed_in_the_forms_that_proxies_write(written: str, meant: str) -> None:
    assert client_address(PEER, [written], 1) == meant


def test_a_request_without_a_peer_address_is_unknown() -> None:
    assert client_address(None, [], 0) == client_address("testclient", [], 0) == "unknown"


def test_addresses_of_one_v6_network_count_as_one() -> None:
    assert network("2001:db8:1:2:3::4") == network("2001:db8:1:2:ffff::") == "2001:db8:1:2::/64"
    assert network("2001:db8:1:3::4") != network("2001:db8:1:2::4")


def test_each_v4_address_counts_alone() -> None:
    assert network("198.51.100.7") == "198.51.100.7" != network("198.51.100.8")
    assert network("unknown") == "unknown"


def test_a_v6_site_is_its_48_bit_network() -> None:
    assert wider("2001:db8:1:2::/64") == wider("2001:db8:1:2::7") == ("2001:db8:1::/56", "2001:db8:1::/48")
    assert wider("198.51.100.7") == wider("unknown") == ()
    assert site("2001:db8:1:2::7") == "2001:db8:1::/48"
    assert site("198.51.100.7") == "198.51.100.7"
