"""Whether a server may listen where it is told to."""

from __future__ import annotations

import errno
import socket

from workbench.core.errors import OperatorProblem


def require_free_port(host: str, port: int) -> None:
    """Refuse an address that cannot be listened on.

    Raises:
        OperatorProblem: the port is taken, needs privileges, or the host is not this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            raise OperatorProblem(_sentence(problem, host, port)) from problem


def _sentence(problem: OSError, host: str, port: int) -> str:
    if problem.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is taken by another program. Stop it, "
            f"or choose another port: PORT={port + 1}."
        )
    if problem.errno == errno.EACCES:
        return f"Port {port} needs privileges. Choose one above 1023, such as PORT=8400."
    return f"Cannot listen on {host}:{port}: {problem.strerror}. Check HOST and PORT."
