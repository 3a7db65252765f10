"""The clock of a drill: that of the machine in which its clients live, since captures are stamped there."""

from __future__ import annotations

import time
from dataclasses import dataclass

from labbuilder.ssh.shell import Shell


@dataclass(frozen=True)
class Clock:
    """A machine's clock.

    Attributes:
        offset_s: It minus this host's.
    """

    offset_s: float

    @classmethod
    def of(cls, shell: Shell) -> Clock:
        """Ask the machine; half of the way there and back belongs to each direction."""
        before = time.time()
        there = float(shell.run("date +%s.%N").stdout)
        return cls(there - (before + time.time()) / 2)

    @property
    def now_s(self) -> float:
        """What it shows."""
        return time.time() + self.offset_s
