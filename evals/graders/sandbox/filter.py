"""The system calls that sandboxed code may make, and the kernel's filter made of them.

An allow-list: a call that is not on it fails with EPERM, whoever makes it. There is no open, no
socket, no clone and no execve on it, so nothing is read, sent or started, whatever Python can be
talked into. Standard library only: the child loads this file by its path.
"""

from __future__ import annotations

import ctypes
import platform
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_GET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 21, 2
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050001, 0x80000000  # 0x0005 and errno 1, EPERM
LOAD, EQUALS, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
X32 = 0x40000000
"""Calls of the x32 interface carry this bit; none of them is allowed."""

# Audit names of the architectures, and the numbers of: read, write, close, fstat, lseek, mmap,
# mprotect, munmap, brk, rt_sigaction, rt_sigprocmask, rt_sigreturn, readv, writev, mremap,
# madvise, sched_yield, getpid, gettid, exit, exit_group, futex, clock_gettime, clock_getres,
# clock_nanosleep, nanosleep, gettimeofday, getrandom, sigaltstack, ppoll, getrusage, times,
# sysinfo; on x86-64 also poll, time.
ARCHITECTURES = {
    "x86_64": (
        0xC000003E,
        (0, 1, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 19, 20, 25, 28, 24, 39, 186, 60, 231, 202, 228,
         229, 230, 35, 96, 318, 131, 271, 98, 100, 99, 7, 201),
    ),
    "aarch64": (
        0xC00000B7,
        (63, 64, 57, 80, 62, 222, 226, 215, 214, 134, 135, 139, 65, 66, 216, 233, 124, 172, 178, 93,
         94, 98, 113, 114, 115, 101, 169, 278, 132, 73, 165, 153, 179),
    ),
}  # fmt: skip


def why_not() -> str:
    """Why there can be no sandbox on this machine, as a sentence; empty where there can be."""
    if sys.platform != "linux":
        return "It needs Linux, whose kernel keeps the code in. Run the worker on Linux."
    if platform.machine() not in ARCHITECTURES:
        return f"It is made for x86-64 and ARM64; this machine is {platform.machine()}."
    if ctypes.CDLL(None, use_errno=True).prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0:
        return (
            "This kernel has no seccomp filters. Use one with CONFIG_SECCOMP_FILTER, as every "
            "large distribution ships it."
        )
    return ""


def program(machine: str) -> bytes:
    """The filter as the kernel takes it: struct sock_filter after struct sock_filter."""
    audit, allowed = ARCHITECTURES[machine]
    end = len(allowed)
    steps = [
        (LOAD, 0, 0, 4),  # the architecture
        (EQUALS, 1, 0, audit),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, 0),  # the call's number
        (AT_LEAST, end, 0, X32),
        *((EQUALS, end - n, 0, number) for n, number in enumerate(allowed)),
        (RETURN, 0, 0, REFUSE),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def seal() -> None:
    """Put the filter on this process, for good.

    Raises:
        OSError: the kernel would not.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    code = program(platform.machine())
    held = ctypes.create_string_buffer(code, len(code))
    fields = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(held))
    whole = ctypes.create_string_buffer(fields, len(fields))
    for arguments in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(whole), 0, 0),
    ):
        if libc.prctl(*map(ctypes.c_ulong, arguments)) != 0:
            raise OSError(ctypes.get_errno(), "the kernel refused the filter")
