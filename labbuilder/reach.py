"""Machines that are there: what must be known of them to read, configure or grade them, whoever made them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from labbuilder.errors import MachineError, TransportError
from labbuilder.host.parallel import for_each
from labbuilder.host.wait import wait_until
from labbuilder.ssh.connection import SLOW_GUEST_S, connect
from labbuilder.ssh.endpoint import Endpoint, banner_ready
from labbuilder.ssh.shell import Shell

_SOON_S = 5.0  # then it is looked whether the machine is on; one that is gets longer
_BANNER_S = 2.0
_BOOT_S = 300.0


class MachineState(StrEnum):
    """Where a machine is in its life."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    LOST = "lost"  # it, or the host it is on, can't be reached


_MENDS = {MachineState.STOPPED: "start {} starts it", MachineState.PAUSED: "resume {} lets it go on"}


@dataclass(frozen=True)
class MachineStatus:
    """What is seen of a machine now.

    Attributes:
        member: Of a cluster, the member it is on.
    """

    name: str
    state: MachineState
    pid: int | None = None
    boots: int = 0
    cut_links: tuple[str, ...] = field(default=())
    member: str = ""


class Reach(Protocol):
    """The way to machines that are there. A provider is one, and so is a list of machines that nobody here made."""

    def status(self) -> tuple[MachineStatus, ...]:
        """All machines that exist, sorted by name; empty when nothing runs."""

    def is_awake(self, name: str) -> bool:
        """It is on and not frozen, so that it may answer; one cheap look, for who asks often."""

    def endpoint(self, name: str) -> Endpoint:
        """Where the machine's SSH is, and by which key it is known."""

    def wait_ready(self, name: str) -> None:
        """Return when the machine's SSH answers; raise at once when it died, or after the longest boot."""


class KnownMachines:
    """Machines that somebody else made, by their endpoints: a `Reach`."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = {endpoint.machine: endpoint for endpoint in endpoints}

    def status(self) -> tuple[MachineStatus, ...]:
        """Running is who answers; of the others nothing is known."""
        return tuple(for_each(sorted(self._endpoints), self._status))

    def _status(self, name: str) -> MachineStatus:
        return MachineStatus(name, MachineState.RUNNING if self.is_awake(name) else MachineState.LOST)

    def is_awake(self, name: str) -> bool:
        """Its SSH answers."""
        return banner_ready(self.endpoint(name), within_s=_BANNER_S)

    def endpoint(self, name: str) -> Endpoint:
        """As it was given.

        Raises:
            MachineError: None of that name was.
        """
        if name not in self._endpoints:
            raise MachineError(f"there is no machine {name}", resolution=f"use one of: {', '.join(self._endpoints)}")
        return self._endpoints[name]

    def wait_ready(self, name: str) -> None:
        """Wait for the banner of its SSH."""
        advice = self.endpoint(name).advice
        what = f"{name} answers on its SSH"
        wait_until(what, lambda: self.is_awake(name), within_s=_BOOT_S, every_s=0.2, resolution=advice)


class Shells:
    """One shell a machine: connected when it is first needed, kept until it is dropped.

    Args:
        reach: The way to the machines.
        open_shell: What connects; a test gives its own.
    """

    def __init__(self, reach: Reach, open_shell: Callable[..., Shell] = connect) -> None:
        self._reach = reach
        self._open_shell = open_shell
        self._shells: dict[str, Shell] = {}
        self._lock = threading.Lock()

    def shell(self, machine: str) -> Shell:
        """The machine's shell; anew when the machine went away meanwhile, by somebody else's hand.

        Raises:
            TransportError: It can't be reached.
        """
        with self._lock:
            known = self._shells.get(machine)
        if known is not None and not known.is_open:
            self.drop(machine)
            known = None
        if known is None:
            known = self._connected(machine)
            with self._lock:
                self._shells[machine] = known
        return known

    def _connected(self, machine: str) -> Shell:
        endpoint = self._reach.endpoint(machine)
        try:
            return self._open_shell(endpoint, within_s=_SOON_S)
        except TransportError as error:
            if self._reach.is_awake(machine):
                return self._open_shell(endpoint, within_s=SLOW_GUEST_S)
            states = {seen.name: seen.state for seen in self._reach.status()}
            state = states.get(machine, MachineState.STOPPED)
            mend = awakened(machine, state) if state in _MENDS else error.resolution
            raise TransportError(brief=f"{machine} is {state}", details=error.details, resolution=mend) from error

    def drop(self, machine: str) -> None:
        """Close a machine's shell: it is about to go away."""
        with self._lock:
            shell = self._shells.pop(machine, None)
        if shell is not None:
            shell.close()

    def close(self) -> None:
        """Close all."""
        for machine in tuple(self._shells):
            self.drop(machine)


def awakened(machine: str, state: MachineState) -> str:
    """What the user can do about a machine that is stopped or paused."""
    return f"labbuilder {_MENDS[state].format(machine)}, and so does labbuilder up"
