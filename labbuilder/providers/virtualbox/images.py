"""The base disk that a lab's disks are cloned from, and the CD that tells each machine who it is."""

from __future__ import annotations

from pathlib import Path

from labbuilder.keys import LabKeys
from labbuilder.plan.model import MachinePlan, Plan
from labbuilder.providers.disks.seed import Seed, SeedNic, write_seed
from labbuilder.providers.disks.store import DiskStore
from labbuilder.providers.disks.user import user_disk
from labbuilder.providers.virtualbox import hardware
from labbuilder.store import Home


class BaseDisks:
    """The base disks of one home."""

    def __init__(self, home: Home) -> None:
        self._store = DiskStore(home)

    def path(self, plan: Plan) -> Path:
        """Where the plan's base disk is or would be."""
        image = plan.virtualbox.image
        return self._store.built_path(plan.image) if image == "built" else Path(image).absolute()

    def ensure(self, plan: Plan) -> Path:
        """The base disk, made unless it is there.

        Raises:
            HostError: The user's own disk is no disk; no room for a new one, or a tool is missing.
            CommandError: It could not be built.
        """
        if plan.virtualbox.image == "built":
            return self._store.ensure_built(plan.image)
        return user_disk(self.path(plan))[0]


def write_identity(path: Path, machine: MachinePlan, keys: LabKeys, mark: str) -> None:
    """Write the machine's seed CD: its name, keys, and the names of its NICs by their MAC."""
    seed = Seed(
        hostname=machine.name,
        authorized_key=keys.authorized,
        host_private=keys.host_private(machine.name),
        host_public=keys.host_public(machine.name),
        nics=tuple(SeedNic(nic.name, nic.mac) for nic in machine.nics),
        management=SeedNic(hardware.MANAGEMENT_NIC, hardware.management_mac(mark, machine.name)),
    )
    write_seed(seed, path)
