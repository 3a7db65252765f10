"""The base disk that a lab's disks are cloned from, and what each machine finds beside its own when it boots."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from labbuilder.host.store import Home
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.providers.disks import built
from labbuilder.providers.disks.seed import Seed, SeedNic, write_seed
from labbuilder.providers.disks.store import DISK, cloud_disk_name, disk_name, ensure_cloud_disk, ensure_disk
from labbuilder.providers.disks.user import user_disk
from labbuilder.providers.images import ImageCache
from labbuilder.providers.virtualbox import hardware, host, media
from labbuilder.providers.virtualbox.preparation import Preparation
from labbuilder.providers.virtualbox.registry import Registry
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage
from labbuilder.spec.providers import VirtualBox
from labbuilder.ssh.keys import LabKeys

SEED = "seed.iso"
LAN_BOOT_ROM = "lan-boot.rom"


class BaseDisks:
    """The base disks of one home."""

    def __init__(self, home: Home, vboxmanage: VBoxManage, registry: Registry) -> None:
        self._cache = ImageCache(home)
        self._vboxmanage = vboxmanage
        self.preparation = Preparation(self._cache, vboxmanage, registry)

    def name(self, plan: Plan) -> str | None:
        """What the plan's base disk is called in the cache; None for the user's own."""
        settings = plan.section(VirtualBox)
        match settings.image:
            case "built":
                return disk_name(plan.image)
            case "cloud":
                return cloud_disk_name(plan.image, settings.cloud_images)
            case _:
                return None

    def path(self, plan: Plan) -> Path:
        """Where the plan's base disk is or would be."""
        name = self.name(plan)
        return self._cache.path(name) / DISK if name else Path(plan.section(VirtualBox).image)

    def preflight(self, plan: Plan) -> None:
        """Raise what is certain to keep `ensure` from its work; quick.

        Raises:
            HostError: The user's own disk is no disk, or a tool to build one is missing.
        """
        if self.name(plan) is None:
            user_disk(self.path(plan))
        elif plan.section(VirtualBox).image == "built" and not self.path(plan).exists():
            built.preflight()

    def ensure(self, plan: Plan) -> None:
        """Make the base disk unless it is there.

        Raises:
            HostError: The user's own disk is no disk; no network, no room, or a tool is missing.
            CommandError, MachineError: It could not be built or prepared.
        """
        settings, name = plan.section(VirtualBox), self.name(plan)
        if name is None:
            user_disk(self.path(plan))
        elif settings.image == "cloud":
            if not self._cache.path(name).exists():
                host.require_driver()  # it is told before the download, not after
            boot = partial(self.preparation.boot, name, settings)
            ensure_cloud_disk(self._cache, plan.image, settings.cloud_images, self._to_vdi, boot)
        else:
            ensure_disk(self._cache, plan.image, self._to_vdi)

    def _to_vdi(self, raw: Path, vdi: Path) -> None:
        self._vboxmanage.change("convertfromraw", raw, vdi, timeout_s=media.CLONE_LIMIT_S)


def identity(machine: MachinePlan, keys: LabKeys, mark: str) -> Seed:
    """Who the machine is: its name, keys, and the names of its NICs by their MAC."""
    return Seed(
        hostname=machine.name,
        authorized_key=keys.authorized,
        host_private=keys.host_private(machine.name),
        host_public=keys.host_public(machine.name),
        nics=tuple(SeedNic(nic.name, nic.mac) for nic in machine.nics),
        management_mac=hardware.management_mac(mark, machine.name),
    )


def write_for_boot(folder: Path, machine: MachinePlan, keys: LabKeys, mark: str) -> None:
    """Write the machine's seed CD, by which it learns who it is, and the LAN boot ROM that has nothing in it."""
    write_seed(identity(machine, keys, mark), folder / SEED)
    (folder / LAN_BOOT_ROM).write_bytes(hardware.NO_LAN_BOOT)
