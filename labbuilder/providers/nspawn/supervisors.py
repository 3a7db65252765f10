"""Which supervisors run on this host, and of which lab each is, as the kernel tells it.

A supervisor bears its lab's mark in its command line and works in its lab's folder: the kernel knows where that is when
the folder was moved, and that it is gone.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MODULE = "labbuilder.providers.nspawn.supervisor"
_GONE = " (deleted)"


@dataclass(frozen=True)
class Supervisor:
    """A supervisor's process, or one that it forked for the simulated world.

    Attributes:
        folder: Its lab's, where it is now; where it was, when it is gone.
        gone: The folder is.
        image: What its machines start from.
        first: It is the one that listens.
    """

    pid: int
    mark: str
    folder: Path
    gone: bool
    image: Path
    first: bool

    def is_of(self, lab: Path) -> bool:
        """It works in that folder, whatever path leads there."""
        try:
            return not self.gone and self.folder.samefile(lab)
        except OSError:  # one of both has just gone
            return False


def all_supervisors() -> tuple[Supervisor, ...]:
    """Every supervisor of this user's labs on this host."""
    return tuple(_supervisors())


def supervisor(pid: int) -> Supervisor | None:
    """What that process is supervisor of; None: it is none, or has ended."""
    place = Path("/proc") / str(pid)
    try:
        line = (place / "cmdline").read_bytes()
        if MODULE.encode() not in line or place.stat().st_uid != os.geteuid():
            return None  # a name alone makes none: a machine's root may take it too
        words = [os.fsdecode(word) for word in line.split(b"\0")]
        mark, folder, image = words[words.index(MODULE) + 1 :][:3]
        entered = (place / "ns/net").readlink() != Path("/proc/self/ns/net").readlink()  # before, it works elsewhere
        seen = str((place / "cwd").readlink())
        numbers = next(line for line in (place / "status").read_text().splitlines() if line.startswith("NSpid:"))
    except (OSError, ValueError, StopIteration):
        return None
    where = Path(seen.removesuffix(_GONE)) if entered else Path(folder)
    return Supervisor(pid, mark, where, entered and seen.endswith(_GONE), Path(image), numbers.split()[-1] == "1")


def _supervisors() -> Iterator[Supervisor]:
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            found = supervisor(int(place.name))
            if found is not None:
                yield found


def end(pid: int) -> None:
    """SIGKILL one process of ours and wait until the kernel has ended it and all in its namespace."""
    try:
        handle = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    try:
        select.select([handle], [], [], 10.0)
    finally:
        os.close(handle)
