"""Ports for servers in processes of their own, which have to be told one beforehand."""

from __future__ import annotations

import socket

_held: list[socket.socket] = []


def free_port() -> int:
    """A port of this machine that stays free for a server of the tests for as long as they run.

    A socket is left bound to it without listening: nobody else is given the port, neither for a
    server nor for the near end of a connection, not even while the server it is for is down. That
    server can listen on it, since servers bind with SO_REUSEADDR.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    _held.append(holder)
    port: int = holder.getsockname()[1]
    return port


def give_back_all() -> None:
    while _held:
        _held.pop().close()
