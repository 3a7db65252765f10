"""System calls that Python 3.11's ``os`` lacks, and the numbers from the kernel's headers."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x4_0000

PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the namespaces named in ``flags`` for new ones."""
    _checked(_libc.unshare(flags), "unshare")


def setns(fd: int) -> None:
    """Enter a namespace."""
    _checked(_libc.setns(fd, 0), "setns")


def mount(source: str, target: str, kind: str = "none", flags: int = 0, options: str = "") -> None:
    """Attach a file system, bind a folder, or set how its mounts propagate."""
    data = options.encode() if options else None
    _checked(_libc.mount(source.encode(), target.encode(), kind.encode(), flags, data), f"mount on {target}")


def prctl(option: int, value: int, more: int = 0) -> None:
    """Set one attribute of this process."""
    words = (ctypes.c_ulong(number) for number in (value, more, 0, 0))
    _checked(_libc.prctl(option, *words), "prctl")
