"""No test reaches another machine; see the fixture in tests/conftest.py."""

from __future__ import annotations

import socket

import pytest

from tests.conftest import NoNetwork


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "example.com"])
def test_other_machines_are_out_of_reach(host: str) -> None:
    with pytest.raises(NoNetwork, match="another machine"):
        socket.create_connection((host, 80), timeout=0.1)


def test_this_machine_is_within_reach() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
