"""Client addresses: which networks they are in, which one counts, whom to believe about them.

Nothing here opens a socket or resolves a name.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network
_Address: TypeAlias = IPv4Address | IPv6Address

_MAPPED = IPv6Network("::ffff:0:0/96")
_LONGEST_ADDRESS = 64


def parse_networks(networks: str | Iterable[str]) -> tuple[Network, ...]:
    """Parse CIDR networks, from a list or from comma-separated text; empty entries are skipped.

    A bare address is the network of that address alone, an IPv4-mapped network its IPv4 one.
    Raises ValueError that names the entry and what to write instead.
    """
    entries = networks.split(",") if isinstance(networks, str) else networks
    return tuple(_parse_network(entry.strip()) for entry in entries if entry.strip())


def _parse_network(text: str) -> Network:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no network: write 203.0.113.0/24 or 2001:db8::/32") from None
    # A network with bits to spare is mostly a typing error that would allow far too much.
    if ip_address(text.partition("/")[0]) != network.network_address:
        raise ValueError(f"{text!r} has bits set beyond its prefix: write {network}")
    return _unmap_network(network)


def _unmap_network(network: Network) -> Network:
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        start = IPv4Address(int(network.network_address) & 0xFFFF_FFFF)
        return IPv4Network((start, network.prefixlen - 96))
    return network


def is_allowed(address: str, networks: Sequence[Network]) -> bool:
    """Tell whether the client may come from `address`. No networks means no restriction.

    An IPv4-mapped IPv6 address counts as its IPv4 address; what is no address is in no network.
    """
    return not networks or _is_inside(_parse_address(address), networks)


def limit_key(address: str) -> str:
    """Return the key under which requests from `address` are limited together.

    An IPv4 address stands alone; IPv6 counts by /64, since whoever has one such address has 2**64.
    Text that is no address (a Unix socket has none) is a key by itself.
    """
    if ":" not in address:
        return address
    parsed = _parse_address(address)
    if isinstance(parsed, IPv6Address):
        return _network_of_64(parsed)
    return address if parsed is None else str(parsed)


def client_address(peer: str, forwarded_for: str | None, trusted: Sequence[Network]) -> str:
    """Return the address of the client, given the peer and the value of X-Forwarded-For.

    The header is read from the right, and only as long as each hop is a trusted proxy: what stands
    further left was written by someone unknown. The first entry that is no bare address (`unknown`,
    one with a port or brackets, a name) ends the reading at the last good hop. Several header
    lines are to be joined by commas in their order. An untrusted peer is returned as it came.
    """
    if not forwarded_for or not trusted or not _is_inside(_parse_address(peer), trusted):
        return peer
    client = peer
    for entry in reversed(forwarded_for.split(",")):
        hop = _parse_address(entry.strip())
        if hop is None:
            return client
        client = str(hop)
        if not _is_inside(hop, trusted):
            return client
    return client


def _is_inside(address: _Address | None, networks: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in networks)


# The same few peers come again and again, and parsing costs more than the rest of a decision.
@lru_cache(maxsize=4096)
def _parse_address(text: str) -> _Address | None:
    # A zone (fe80::1%eth0) is free text, which must not travel on into logs and keys.
    if len(text) > _LONGEST_ADDRESS or "%" in text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=4096)
def _network_of_64(address: IPv6Address) -> str:
    return str(IPv6Network((address, 64), strict=False))
