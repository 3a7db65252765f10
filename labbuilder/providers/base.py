"""What a provider is: it makes machines and wires exist, and knows nothing about DHCP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.reach import MachineState, MachineStatus, Reach

__all__ = ["Finding", "MachineState", "MachineStatus", "Provider", "Pruned", "Restores"]


@dataclass(frozen=True)
class Finding:
    """One line of ``labbuilder doctor``."""

    name: str
    ok: bool
    seen: str
    resolution: str = ""


@dataclass(frozen=True)
class Pruned:
    """What became of the images of one server.

    Attributes:
        server: As the user calls it.
        removed: Their names.
        refused: Why some may be left.
    """

    server: str
    removed: tuple[str, ...] = ()
    refused: str | None = None


@runtime_checkable
class Restores(Protocol):
    """A provider that reaches into a machine from outside, whatever is broken in there."""

    def restore(self, plan: Plan, machine: MachinePlan, changed: Sequence[str] = ()) -> Sequence[str]:
        """Put back what a machine that is on lacks of its image and of its management; the paths of what was put back.

        Args:
            plan: The lab.
            machine: One of its machines.
            changed: Files of the image that are there, and are put back too.

        Raises:
            MachineError: It can't be.
        """


class Provider(Reach, Protocol):
    """A place where machines live, bound to one lab. Every method may be called again: it is idempotent.

    Raises (all methods): MachineError for a machine that is not there or failed, HostError for the host.
    """

    kind: str

    def preflight(self, plan: Plan) -> None:
        """Raise HostError for what is certain to fail later; quick, since it is asked before anything is made."""

    def image_name(self, plan: Plan) -> str | None:
        """What the plan's image is called in the cache; None for one that is not kept there."""

    def has_image(self, plan: Plan) -> bool:
        """The image of the plan's machines is there already."""

    def ensure_image(self, plan: Plan) -> None:
        """Build it unless it is cached; concurrent builders of one image wait for each other."""

    def ensure_networks(self, plan: Plan) -> None:
        """Bring up the lab's networks and, where it is simulated, the world behind the uplink."""

    def create(self, plan: Plan, machine: MachinePlan) -> None:
        """Define a machine of the plan: its disk and identity, not running."""

    def start(self, name: str) -> None:
        """Power it on; returns when it is on its way, not when it has booted."""

    def stop(self, name: str) -> None:
        """Shut it down in order; one that takes too long is powered off."""

    def kill(self, name: str) -> None:
        """Cut its power."""

    def reboot(self, name: str) -> None:
        """Reboot in order; returns when the next boot's management SSH answers."""

    def pause(self, name: str) -> None:
        """Freeze every process of it; its wires stay."""

    def resume(self, name: str) -> None:
        """Let it go on."""

    def set_link(self, name: str, network: str, *, up: bool) -> None:
        """Plug or unplug the cable of one NIC."""

    def console(self, name: str) -> Path:
        """The file with everything the machine's console said."""

    def save_snapshot(self, name: str) -> None:
        """Keep the state of all machines; those that run go on."""

    def restore_snapshot(self, name: str) -> None:
        """Bring all machines, which are off, to the state that was kept; `start` goes on from it."""

    def delete_snapshot(self, name: str) -> None:
        """Forget what was kept of it, if anything was."""

    def destroy(self, name: str) -> None:
        """Remove the machine and its disk; a machine already gone is success."""

    def destroy_all(self) -> None:
        """Remove every machine, network and process of the lab."""

    def residue(self) -> Sequence[str]:
        """What of the lab is still on the host, looked up there, not remembered."""
