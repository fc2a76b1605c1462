"""Every connection to an address that a person typed goes through here.

The address is checked when the socket is made, so that neither a name that resolves differently
the second time nor a redirect can lead inside (redirects are never followed).
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from workbench.core.errors import InvalidInput

CONNECT_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 15.0
PUBLIC_PORTS = frozenset({80, 443})
FIRST_FREE_PORT = 1024
NOT_PUBLIC = "is not a public address"

AddressInfo = tuple[Any, Any, int, str, tuple[Any, ...]]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _networks(*texts: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


# Global by the registry, but they carry or reach other addresses: NAT64, 6to4, Teredo, IETF use.
CARRIERS = _networks(
    "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "192.0.0.0/24", "192.88.99.0/24"
)
# Where clouds hand out the machine's credentials: refused even on a private network.
METADATA = _networks(
    "169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32", "168.63.129.16/32"
)
# What a private network may use.
PRIVATE = _networks(
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "::1/128",
    "fc00::/7",
)  # fmt: skip


class BlockedAddress(OSError):
    """The host resolved to an address that this connection may not use."""


def may_reach(text: str, *, private: bool) -> bool:
    """Whether the IP address may be connected to; `private` adds this machine and private networks.

    Multicast, unspecified and reserved addresses and cloud metadata services are never reachable.
    """
    address: Address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        address = mapped
    if _inside(address, METADATA) or address.is_multicast or address.is_unspecified:
        return False
    if private and _inside(address, PRIVATE):
        return True
    return address.is_global and not _inside(address, CARRIERS)


def checked_url(text: str, *, private: bool) -> str:
    """The URL without a trailing slash, if requests may be sent below it.

    Raises:
        InvalidInput: not http(s), plain http on the public internet, credentials or a query in
            it, no host, or a port that is not for the web.
    """
    text = text.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname
    except ValueError as problem:
        raise InvalidInput("The address is not a URL. Write https://host/v1.") from problem
    if parts.scheme not in {"http", "https"} or not host or _has_odd_characters(text):
        raise InvalidInput("Write the address as https://host/v1.")
    if parts.username is not None or parts.query or parts.fragment:
        raise InvalidInput("The address must hold no credentials, no “?” and no “#”.")
    if not private:
        _check_public(parts.scheme, host, port)
    return text


def origin_of(url: str) -> str:
    """Scheme, host and port in one canonical text: what a credential is bound to."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{(parts.hostname or '').rstrip('.').lower()}:{port}"


def socket_factory(*, private: bool) -> Callable[[AddressInfo], socket.socket]:
    """For aiohttp's connector: refuse an address before a socket to it exists."""

    def make(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        if not may_reach(str(address[0]), private=private):
            raise BlockedAddress(errno.EACCES, f"{address[0]} {NOT_PUBLIC}")
        return _plain_socket(family, kind, protocol)

    return make


def unchecked_socket(info: AddressInfo) -> socket.socket:
    """For addresses that came from our own processes."""
    return _plain_socket(*info[:3])


def open_session(
    make_socket: Callable[[AddressInfo], socket.socket],
    *,
    limit: int = 0,
    connect_seconds: float = CONNECT_SECONDS,
) -> aiohttp.ClientSession:
    """A client that keeps bytes as they are: no cookies, no decompression, no proxy from outside.

    Must be called inside a running event loop; the caller closes it. `limit` bounds open
    connections (0: none). Pass `allow_redirects=False` with every request.
    """
    connector = aiohttp.TCPConnector(
        limit=limit,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        socket_factory=make_socket,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds),
    )


async def read_capped(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The response's body, cut after `limit` bytes."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        parts.append(part[: limit - size])
        size += len(parts[-1])
        if size >= limit:
            break
    return b"".join(parts)


def was_blocked(problem: BaseException) -> bool:
    """Whether a failed request failed because its address is not allowed."""
    return NOT_PUBLIC in str(problem)


def _inside(
    address: Address, networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _has_odd_characters(text: str) -> bool:
    return any(character <= " " or character in "\\\x7f" for character in text)


def _check_public(scheme: str, host: str, port: int | None) -> None:
    if scheme != "https":
        raise InvalidInput(
            "Use https://, or allow the private network for a model on this machine or your own "
            "network."
        )
    if port is not None and port not in PUBLIC_PORTS and port < FIRST_FREE_PORT:
        raise InvalidInput(f"Port {port} is not a port for web services.")
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        return
    if not may_reach(str(literal), private=False):
        raise InvalidInput(f"{host} {NOT_PUBLIC}. Allow the private network to use it.")


def _plain_socket(family: int, kind: int, protocol: int) -> socket.socket:
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
