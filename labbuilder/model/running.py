"""A lab that runs, as far as who operates or breaks a service of it must reach it."""

from __future__ import annotations

from typing import Protocol

from labbuilder.model.lab import Plan
from labbuilder.ssh.shell import Shell


class RunningLab(Protocol):
    """The door to a lab's machines. What talks to one that is not there raises TransportError."""

    @property
    def plan(self) -> Plan:
        """What the lab is."""

    def is_awake(self, machine: str) -> bool:
        """The machine is on and not frozen; a question to one that is not would hang."""

    def shell(self, machine: str) -> Shell:
        """Return the connection to a machine."""

    def sure(self, machine: str, script: str) -> str:
        """Run lines of shell in a machine, each of which must end with 0; return what they printed.

        Raises:
            MachineError: One did not.
        """

    def drop(self, machine: str) -> None:
        """Close a machine's connection: it went away, or is about to."""
