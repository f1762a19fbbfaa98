"""Client addresses: networks parsed, proxies believed, keys of limits."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authreset.rules.networks import client_address, is_allowed, limit_key, parse_networks

PROXIES = parse_networks("10.0.0.0/8, fd00::/8")


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        ("", []),
        (" , ", []),
        ("10.0.0.0/8", ["10.0.0.0/8"]),
        (" 10.0.0.0/8 ,2001:db8::/32,", ["10.0.0.0/8", "2001:db8::/32"]),
        ("203.0.113.9", ["203.0.113.9/32"]),
        ("2001:DB8::1", ["2001:db8::1/128"]),
        ("::ffff:10.0.0.0/104", ["10.0.0.0/8"]),
        ("0.0.0.0/0,::/0", ["0.0.0.0/0", "::/0"]),
    ],
)
def test_parse_networks(text: str, networks: list[str]) -> None:
    assert [str(network) for network in parse_networks(text)] == networks
    assert parse_networks(text.split(",")) == parse_networks(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("10.0.0.0/8,example.com", "'example.com' is no network"),
        ("10.0.0.0/33", "is no network: write 203.0.113.0/24"),
        ("10.0.0", "is no network"),
        ("10.1.2.3/8", "'10.1.2.3/8' has bits set beyond its prefix: write 10.0.0.0/8"),
        ("2001:db8::1/32", "write 2001:db8::/32"),
        ("10.0.0.0 10.1.0.0", "is no network"),
    ],
)
def test_parse_networks_tells_what_is_wrong(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        parse_networks(text)


@pytest.mark.parametrize(
    ("address", "networks", "allowed"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("11.1.2.3", "10.0.0.0/8,11.0.0.0/8", True),
        ("::ffff:10.1.2.3", "10.0.0.0/8", True),
        ("::ffff:11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "::ffff:10.0.0.0/104", True),
        ("10.1.2.3", "::/0", False),
        ("2001:db8::1", "2001:db8::/32", True),
        ("2001:db9::1", "2001:db8::/32", False),
        ("11.1.2.3", "", True),
        ("", "0.0.0.0/0", False),
        ("unknown", "0.0.0.0/0,::/0", False),
        ("fe80::1%10.0.0.1", "::/0", False),
    ],
)
def test_is_allowed(address: str, networks: str, allowed: bool) -> None:
    assert is_allowed(address, parse_networks(networks)) is allowed


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("::ffff:cb00:7109", "203.0.113.9"),
        ("", ""),
        ("testclient", "testclient"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_limit_key(address: str, key: str) -> None:
    assert limit_key(address) == key


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_64_shares_one_key(network: int, one: int, other: int) -> None:
    first, second, neighbour = (
        str(ipaddress.IPv6Address(value % 2**128))
        for value in (network << 64 | one, network << 64 | other, (network + 1) << 64 | one)
    )
    if network:  # within ::/64 lie the IPv4-mapped addresses, which count one by one
        assert limit_key(first) == limit_key(second) != limit_key(neighbour)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", " 198.51.100.1 ", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("fd00::1", "2001:DB8::1", "2001:db8::1"),
        ("10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        # Written by the client itself: it stands left of what the first trusted proxy saw.
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "10.9.9.9, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.3, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "198.51.100.1:4711", "10.0.0.1"),
        ("10.0.0.1", "[2001:db8::1]:443", "10.0.0.1"),
        ("10.0.0.1", "[2001:db8::1]", "10.0.0.1"),
        ("10.0.0.1", "fe80::1%\r\nevil", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1,", "10.0.0.1"),
        ("10.0.0.1", ",,,", "10.0.0.1"),
        ("10.0.0.1", "0x7f.1", "10.0.0.1"),
        ("", "198.51.100.1", ""),
        ("/run/proxy.sock", "198.51.100.1", "/run/proxy.sock"),
    ],
)
def test_client_address(peer: str, forwarded_for: str | None, client: str) -> None:
    assert client_address(peer, forwarded_for, PROXIES) == client


def test_nobody_is_believed_where_no_proxy_is_trusted() -> None:
    assert client_address("10.0.0.1", "198.51.100.1", ()) == "10.0.0.1"


@given(st.text(max_size=60), st.ip_addresses(v=4).filter(lambda ip: ip not in PROXIES[0]))
def test_what_a_client_writes_changes_nothing(written: str, client: ipaddress.IPv4Address) -> None:
    assert client_address("10.0.0.1", f"{written},{client}, 10.0.0.2", PROXIES) == str(client)


@given(st.text(), st.text())
def test_the_answer_is_the_peer_or_an_address(peer: str, header: str) -> None:
    assert client_address(peer, header, PROXIES) == peer
    answer = client_address("10.0.0.1", header, PROXIES)
    assert str(ipaddress.ip_address(answer)) == answer
