"""The VirtualBox provider: machines of one lab, defined and driven by VBoxManage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import NAMESPACE_OID, uuid4, uuid5

from labbuilder.errors import LabError
from labbuilder.host.store import Home, LabDir, remove_tree
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.providers.base import MachineStatus
from labbuilder.providers.virtualbox import hardware, host, machines, media
from labbuilder.providers.virtualbox.bridge import Bridges
from labbuilder.providers.virtualbox.control import Control
from labbuilder.providers.virtualbox.images import LAN_BOOT_ROM, SEED, BaseDisks, write_for_boot
from labbuilder.providers.virtualbox.machines import CRASHED, DEAD, SAVED
from labbuilder.providers.virtualbox.observer import open_registry
from labbuilder.providers.virtualbox.ports import free_port, port_is_free
from labbuilder.providers.virtualbox.record import Record, Written
from labbuilder.providers.virtualbox.registry import Machine
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage
from labbuilder.spec.providers import Sections, VirtualBox
from labbuilder.ssh.endpoint import Endpoint
from labbuilder.ssh.keys import ensure_keys

_KEEPER = "base_disk"  # no host name: a machine may be called base-disk


class VirtualBoxProvider:
    """Machines of one lab in VirtualBox.

    Args:
        home: Where base disks are kept.
        lab: The lab's folder; everything of its machines lies in it.
        mark: The lab's mark: written into each machine's extra data.
    """

    kind = "virtualbox"

    def __init__(self, home: Home, lab: LabDir, mark: str) -> None:
        self.lab = lab
        self.mark = mark
        self.vboxmanage = VBoxManage()
        self.registry = open_registry(self.vboxmanage)
        self.images = BaseDisks(home, self.vboxmanage, self.registry)
        self.bases = media.Bases(self.vboxmanage, home.images)
        self._roster = Written(lab)
        self.control = Control(lab, self.vboxmanage, self.registry, self._roster)
        self._bridges = Bridges(self.registry)

    @property
    def _base_folder(self) -> Path:
        return self.lab.path / "virtualbox"

    def preflight(self, plan: Plan) -> None:
        """Raise for what is certain to fail later: VBoxManage too old, no such bridge, no way to the base disk."""
        host.preflight(self.registry)
        self.ensure_networks(plan)
        self.images.preflight(plan)

    def image_name(self, plan: Plan) -> str | None:
        """That of the base disk; a disk of the user's is not kept."""
        return self.images.name(plan)

    def has_image(self, plan: Plan) -> bool:
        """The base disk is there."""
        return self.images.path(plan).is_file()

    def ensure_image(self, plan: Plan) -> None:
        """Make the base disk, unless it is there."""
        self.images.ensure(plan)

    def ensure_networks(self, plan: Plan) -> None:
        """Look whether there is the bridge that the spec asks for: VirtualBox makes an internal network by itself."""
        self._bridges.chosen(plan.section(VirtualBox).bridged)

    def create(self, plan: Plan, machine: MachinePlan) -> None:
        """Define the machine, with a disk of its own and its identity on an ISO."""
        known = self._roster.record(machine.name)
        if known is not None and known.whole and known.uuid in self.registry.names():
            return
        if known is not None:
            self.destroy(machine.name)
        else:
            self.control.refuse_others(self._vm_name(machine.name))
        folder = self.lab.machine(machine.name)
        folder.mkdir(parents=True, exist_ok=True)
        networks = tuple(nic.network for nic in machine.nics)
        begun = Record(machine.name, str(uuid4()), self._free_port(), networks).save(self.lab)
        try:
            self._define(plan, machine, begun)
            self._attach_disks(plan, machine, begun)
        except LabError:
            self.bases.let_go()
            raise
        begun.save(self.lab, whole=True)

    def _free_port(self) -> int:
        """One that no machine of the lab has either: those that are off don't listen."""
        taken = {known.port for known in self._roster.records()}
        return next(port for port in iter(free_port, None) if port not in taken)

    def _disk(self, machine: str) -> Path:
        return self._base_folder / "disks" / f"{machine}.vdi"

    def _vm_name(self, machine: str) -> str:
        return f"{self.lab.name}-{machine}"

    def _define(self, plan: Plan, machine: MachinePlan, begun: Record) -> None:
        settings, change = plan.section(VirtualBox), self.vboxmanage.change
        self._register(begun.uuid, machine.name)
        bridge, console = self._bridges.chosen(settings.bridged), str(self.console(machine.name))
        words = hardware.modifyvm_words(plan, machine, bridge=bridge, mark=self.mark, console=console)
        change("modifyvm", begun.uuid, *words, *hardware.forward_words(begun.port))
        rom = str(self.lab.machine(machine.name) / LAN_BOOT_ROM)
        for key, value in hardware.extradata(settings, lan_boot_rom=rom).items():
            change("setextradata", begun.uuid, key, value)

    def _register(self, uuid: str, name: str) -> None:
        vm = self._vm_name(name)
        machines.register(self.vboxmanage, uuid, vm, folder=self._base_folder, group=self.lab.name, mark=self.mark)

    def _attach_disks(self, plan: Plan, machine: MachinePlan, begun: Record) -> None:
        disk, base = self._disk(machine.name), self.images.path(plan)
        if plan.section(VirtualBox).clones == "linked":
            media.linked_clone(self.vboxmanage, self._kept_base(base), disk)
        else:
            self.bases.full_clone(base, disk)
        folder = self.lab.machine(machine.name)
        write_for_boot(folder, machine, ensure_keys(self.lab, [machine.name]), self.mark)
        machines.attach(self.vboxmanage, begun.uuid, {"hdd": disk, "dvddrive": folder / SEED})

    def _kept_base(self, base: Path) -> Path:
        """The lab's own copy of the base disk: a machine that never starts keeps it from going with its last child."""
        kept, keeper = self._disk(_KEEPER), str(uuid5(NAMESPACE_OID, f"{self.mark}/{_KEEPER}"))
        whole = self._base_folder / f"{_KEEPER}.whole"
        if not whole.exists():
            machines.unregister(self.vboxmanage, self.registry.machines().get(keeper))
            self._remove_files(_KEEPER)
            self._register(keeper, _KEEPER)
            self.bases.full_clone(base, kept)
            machines.attach(self.vboxmanage, keeper, {"hdd": kept})
            self.vboxmanage.change("snapshot", keeper, "take", _KEEPER)  # a disk that is in use has no other children
            whole.touch()
        return kept

    def start(self, name: str) -> None:
        """Power it on without a window; the disk that it was cloned from is needed no more."""
        self.bases.let_go()
        known = self.control.made(name)
        state = machines.state_before_start(self.registry.machine(known.uuid), name)
        if state not in DEAD:
            return
        host.require_driver()
        if state == CRASHED:
            self.kill(name)
        if not port_is_free(known.port):
            known = known.save(self.lab, port=self._free_port())
            slot = hardware.MANAGEMENT_SLOT
            self.vboxmanage.change("modifyvm", known.uuid, f"--nat-pf{slot}", "delete", hardware.SSH_RULE)
            self.vboxmanage.change("modifyvm", known.uuid, *hardware.forward_words(known.port))
        known.save(self.lab, boots=known.boots + 1, stale_clock=state in SAVED)
        machines.switch_on(self.vboxmanage, known.uuid)

    def wait_ready(self, name: str) -> None:
        """Wait for the banner of the machine's SSH."""
        self.control.wait_ready(name)

    def stop(self, name: str) -> None:
        """Shut it down by its own systemd."""
        self.control.stop(name)

    def kill(self, name: str) -> None:
        """Cut its power."""
        self.control.kill(name)

    def reboot(self, name: str) -> None:
        """Reboot it by its own systemd."""
        self.control.reboot(name)

    def pause(self, name: str) -> None:
        """Stop its processors."""
        self.control.pause(name)

    def resume(self, name: str) -> None:
        """Let them go on."""
        self.control.resume(name)

    def set_link(self, name: str, network: str, *, up: bool) -> None:
        """Plug or unplug the cable."""
        self.control.set_link(name, network, up=up)

    def status(self) -> tuple[MachineStatus, ...]:
        """What VirtualBox says of the machines that were defined to the end."""
        return self.control.status()

    def is_awake(self, name: str) -> bool:
        """By VirtualBox's word alone."""
        return self.control.is_awake(name)

    def endpoint(self, name: str) -> Endpoint:
        """The forwarded port of NIC 3."""
        return self.control.endpoint(name)

    def console(self, name: str) -> Path:
        """What the serial port said since it was switched on."""
        return self.control.console(name)

    def save_snapshot(self, name: str) -> None:
        """A snapshot of each machine, of one that runs with its memory."""
        for known in self.control.known():
            self.vboxmanage.change("snapshot", known.uuid, "take", name, timeout_s=600.0)

    def restore_snapshot(self, name: str) -> None:
        """Restore it in each; one that ran goes on from its memory when it is started."""
        for known in self.control.known():
            self.vboxmanage.change("snapshot", known.uuid, "restore", name, timeout_s=600.0)

    def delete_snapshot(self, name: str) -> None:
        """Merge it into what came after it."""
        for known in self.control.known():
            if name in self.registry.machine(known.uuid).snapshots:
                self.vboxmanage.change("snapshot", known.uuid, "delete", name, timeout_s=1800.0)

    def destroy(self, name: str) -> None:
        """Cut the power, unregister it, remove its disk."""
        known = self._roster.record(name)
        if known is None:
            return
        machines.unregister(self.vboxmanage, self.registry.machines().get(known.uuid))
        self._remove_files(name)
        remove_tree(self.lab.machine(name))

    def _remove_files(self, name: str) -> None:
        disk = self._disk(name)
        media.forget_below(self.vboxmanage, disk, self.lab.machine(name))
        disk.unlink(missing_ok=True)
        remove_tree(self._base_folder / "labbuilder" / self.lab.name / self._vm_name(name))

    def destroy_all(self) -> None:
        """Unregister every machine of the lab and close its media; their files lie in the lab's folder."""
        self.bases.let_go()
        for machine in self._machines():
            machines.unregister(self.vboxmanage, machine)
        self.images.preparation.sweep()
        media.forget_below(self.vboxmanage, self.lab.path)
        for folder in (self._base_folder, self.lab.path / "machines"):
            remove_tree(folder)

    def _machines(self) -> Iterator[Machine]:
        """The machines whose settings lie in the lab's folder: nobody else makes machines there."""
        for machine in self.registry.machines().values():
            if machines.is_below(machine.settings, self.lab.path):
                yield machine

    def residue(self) -> Sequence[str]:
        """Machines, media and folders, as VirtualBox and the disk show them."""
        folders = (self._base_folder, self.lab.path / "machines")
        known = (*media.media(self.vboxmanage), *media.media(self.vboxmanage, "dvds"))
        return [
            *(f"machine {left.uuid}" for left in (*self._machines(), *self.images.preparation.abandoned())),
            *(f"medium {medium.location}" for medium in known if machines.is_below(medium.location, self.lab.path)),
            *(f"folder {folder}" for folder in folders if folder.exists()),
        ]


def open_provider(home: Home, lab: LabDir, mark: str, settings: Sections) -> VirtualBoxProvider:
    """The provider, bound to one lab."""
    del settings  # the plan brings them
    return VirtualBoxProvider(home, lab, mark)
