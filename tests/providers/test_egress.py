"""Which addresses outbound connections may use."""

from __future__ import annotations

import socket

import pytest

from workbench.core.egress import (
    BlockedAddress,
    checked_url,
    may_reach,
    origin_of,
    socket_factory,
)
from workbench.core.errors import InvalidInput

NEVER = [
    "169.254.169.254", "fe80::1", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "0.0.0.0",  # noqa: S104
    "::", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "192.0.0.8", "192.0.2.1",
]  # fmt: skip
PRIVATE = [
    "127.0.0.1", "127.9.9.9", "::1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1",
    "fd12::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"]


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_reached(address: str) -> None:
    assert not may_reach(address, private=False)
    assert not may_reach(address, private=True)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_the_flag(address: str) -> None:
    assert not may_reach(address, private=False)
    assert may_reach(address, private=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached(address: str) -> None:
    assert may_reach(address, private=False)
    assert may_reach(address, private=True)


def test_the_check_happens_before_a_socket_exists() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))

    with pytest.raises(BlockedAddress, match="not a public address"):
        socket_factory(private=False)(info)
    socket_factory(private=True)(info).close()


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com/v1", "file:///etc/passwd", "gopher://example.com", "http://example.com",
        "https://", "https://user:pw@example.com", "https://example.com?x=1", "https://a b.com",
        "https://example.com#f", "https://example.com:22", "https://example.com:99999",
        "https://127.0.0.1/v1", "https://[::ffff:127.0.0.1]/v1", "https://exam\\ple.com",
    ],
)  # fmt: skip
def test_addresses_that_make_no_sense_or_lead_inside_are_refused_when_saved(url: str) -> None:
    with pytest.raises(InvalidInput):
        checked_url(url, private=False)


def test_a_private_network_may_use_plain_http_and_any_port() -> None:
    assert checked_url(" http://localhost:11434/v1/ ", private=True) == "http://localhost:11434/v1"


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin_of("https://API.example.com./v1") == "https://api.example.com:443"
    assert origin_of("http://localhost:8000/v1") == "http://localhost:8000"
