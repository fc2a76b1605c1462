"""Who holds a lease, as text: machine, process id and start time."""

from __future__ import annotations

import os
import socket

import psutil


def holder() -> str:
    """This process: machine, process id and start time, so that a reused id is not mistaken."""
    created = psutil.Process().create_time()
    return f"{socket.gethostname()}|{os.getpid()}|{created:.2f}"


def is_dead_neighbour(name: str) -> bool:
    """Whether a lease holder was a process of this machine that no longer lives."""
    machine, _, rest = name.partition("|")
    pid, _, created = rest.partition("|")
    if machine != socket.gethostname() or not pid.isdecimal():
        return False
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" != created
    except psutil.NoSuchProcess:
        return True


def is_elsewhere(name: str) -> bool:
    """Whether a lease holder is a process of another machine."""
    machine = name.partition("|")[0]
    return bool(machine) and machine != socket.gethostname()
