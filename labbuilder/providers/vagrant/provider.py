"""The Vagrant provider: VirtualBox machines that Vagrant makes, starts, stops, keeps and removes.

What they do now, and what Vagrant has no word for (pause, cables, a power cut), VirtualBox is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from labbuilder.errors import LabError, MachineError
from labbuilder.host.store import Home, LabDir, remove_tree, write_atomic
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.providers.base import MachineStatus
from labbuilder.providers.images import ImageCache
from labbuilder.providers.vagrant import host
from labbuilder.providers.vagrant.boxes import Boxes
from labbuilder.providers.vagrant.command import Vagrant
from labbuilder.providers.vagrant.files import Folder
from labbuilder.providers.vagrant.prepare import write_identities
from labbuilder.providers.vagrant.roster import Noted
from labbuilder.providers.vagrant.vagrantfile import vagrantfile
from labbuilder.providers.virtualbox import machines, media
from labbuilder.providers.virtualbox.bridge import Bridges
from labbuilder.providers.virtualbox.control import Control
from labbuilder.providers.virtualbox.host import require_driver
from labbuilder.providers.virtualbox.machines import DEAD, MARK_KEY, OFF
from labbuilder.providers.virtualbox.observer import open_registry
from labbuilder.providers.virtualbox.preparation import Preparation
from labbuilder.providers.virtualbox.record import Record
from labbuilder.providers.virtualbox.registry import Machine
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage
from labbuilder.spec.providers import Sections, VirtualBox
from labbuilder.ssh.endpoint import Endpoint

_IMPORTED = re.compile(r".+_\d{13}_\d{1,5}")  # what Vagrant calls a machine until it has a name


class VagrantProvider:
    """Machines of one lab, made by Vagrant in the lab's folder.

    Args:
        home: Where boxes are kept.
        lab: The lab's folder; the Vagrantfile and what Vagrant notes of its machines lie in it, their disks where
            VirtualBox keeps machines.
        mark: The lab's mark: written into each machine's extra data.
    """

    kind = "vagrant"

    def __init__(self, home: Home, lab: LabDir, mark: str) -> None:
        self.lab = lab
        self.mark = mark
        self.vboxmanage = VBoxManage()
        self.registry = open_registry(self.vboxmanage)
        self.boxes = Boxes(home, self.vboxmanage, self.registry)
        self.vagrant = Vagrant(lab.path, self.vboxmanage)
        self.folder = Folder(lab)
        self._preparation = Preparation(ImageCache(home), self.vboxmanage, self.registry)
        self._roster = Noted(lab, self.folder, self.vboxmanage)
        self.control = Control(lab, self.vboxmanage, self.registry, self._roster)
        self._bridges = Bridges(self.registry)

    def preflight(self, plan: Plan) -> None:
        """Raise for what is certain to fail later: no Vagrant for this VirtualBox, no bridge, no way to the box."""
        host.preflight(self.vagrant, self.registry)
        self.ensure_networks(plan)
        self.boxes.preflight(plan)

    def ensure_networks(self, plan: Plan) -> None:
        """Look whether there is the bridge that the spec asks for: VirtualBox makes an internal network by itself."""
        self._bridges.chosen(plan.section(VirtualBox).bridged)

    def image_name(self, plan: Plan) -> str | None:
        """That of the box; one of the user's is not kept."""
        return self.boxes.cache_name(plan)

    def has_image(self, plan: Plan) -> bool:
        """Vagrant has the box."""
        return self.boxes.has(plan)

    def ensure_image(self, plan: Plan) -> None:
        """Pack the box and let Vagrant have it, unless it has."""
        self.boxes.ensure_file(plan)
        self.boxes.add(plan)

    def create(self, plan: Plan, machine: MachinePlan) -> None:
        """Write the Vagrantfile and the machine's identity, and let Vagrant import and define it."""
        known = self._roster.record(machine.name)
        if known is not None and known.whole and known.uuid in self.registry.names():
            return
        if known is None:
            self.control.refuse_others(f"{self.lab.name}-{machine.name}")
        self._remove_orphans()
        box = self.boxes.named(plan)
        self.folder.write(
            vagrantfile(plan, box, mark=self.mark, bridge=self._bridges.chosen(plan.section(VirtualBox).bridged))
        )
        write_identities(plan, plan.machines, self.lab, self.mark, box)  # who says `vagrant up` means all
        networks = tuple(nic.network for nic in machine.nics)
        begun = Record(machine.name, known.uuid if known else "", 0, networks).save(self.lab)
        with self.folder.importing(self.registry.names()):
            self.vagrant.up(machine.name, "defined")
        begun.save(self.lab, uuid=self.folder.uuid(machine.name), whole=True)

    def start(self, name: str) -> None:
        """Let Vagrant start it; nobody waits for its SSH yet."""
        known = self.control.made(name)
        state = machines.state_before_start(self.registry.machine(known.uuid), name)
        if state not in DEAD:
            return
        require_driver()
        if state not in OFF:
            self.kill(name)
        known.save(self.lab, boots=known.boots + 1, stale_clock=state in machines.SAVED)
        self.vagrant.up(name, "started")

    def wait_ready(self, name: str) -> None:
        """Wait for the banner of the machine's SSH; a box of the user's is prepared then, once."""
        self.control.wait_ready(name)
        prepared, uuid = self.lab.machine(name) / "prepared", self.control.made(name).uuid
        if self._roster.is_of_users_box(name) and not (
            prepared.exists() and prepared.read_text(encoding="ascii") == uuid
        ):
            self.vagrant.provision(name, "prepare")
            write_atomic(prepared, uuid)
            self.control.wait_ready(name)

    def kill(self, name: str) -> None:
        """Cut its power: Vagrant has no word for it, as for the next ones."""
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
        """What VirtualBox says of the machines that Vagrant made."""
        return self.control.status()

    def is_awake(self, name: str) -> bool:
        """By VirtualBox's word alone."""
        return self.control.is_awake(name)

    def endpoint(self, name: str) -> Endpoint:
        """The forwarded port that Vagrant found free."""
        return self.control.endpoint(name)

    def console(self, name: str) -> Path:
        """What the serial port said since it was switched on."""
        return self.control.console(name)

    def stop(self, name: str) -> None:
        """Let Vagrant shut it down; after a minute it cuts the power, by the Vagrantfile."""
        known = self._roster.record(name)
        if known is not None and self.registry.machine(known.uuid).state not in OFF:
            self.vagrant.halt(name)

    def save_snapshot(self, name: str) -> None:
        """A snapshot of each machine, of one that runs with its memory."""
        for known in self.control.known():
            self.vagrant.snapshot("save", known.machine, name)

    def restore_snapshot(self, name: str) -> None:
        """Restore it in each; one that ran goes on from its memory when it is started."""
        for known in self.control.known():
            self.vagrant.snapshot("restore", known.machine, name)

    def delete_snapshot(self, name: str) -> None:
        """Merge it into what came after it."""
        for known in self.control.known():
            if name in self.registry.machine(known.uuid).snapshots:
                self.vagrant.snapshot("delete", known.machine, name)

    def destroy(self, name: str) -> None:
        """Let Vagrant remove it and its disk."""
        known = self._roster.record(name)
        if known is not None and (there := self.registry.machines().get(known.uuid)) is not None:
            self._remove(there, name)
        media.forget_below(self.vboxmanage, self.lab.machine(name))
        remove_tree(self.lab.machine(name))
        self.folder.forget(name)

    def _remove(self, machine: Machine, name: str | None) -> None:
        """By Vagrant; by VirtualBox where Vagrant does not know the machine, or is not there any more."""
        own = machine.settings.parent if machine.settings else self.lab.path
        machines.switch_off(self.vboxmanage, machine)
        self._detach_all_but(machine.uuid, own)
        try:
            if name is None:
                raise MachineError(brief="Vagrant does not know it")
            self.vagrant.destroy(name)
        except LabError:
            if machine.uuid in self.registry.names():
                machines.unregister(self.vboxmanage, machine)
            media.forget_below(self.vboxmanage, own)
            if own.name == machine.name:
                remove_tree(own)

    def _detach_all_but(self, uuid: str, own: Path) -> None:
        """Vagrant lets VirtualBox delete all disks of a machine: one that the user attached is no part of it."""
        for key, value in self._roster.seen(uuid).items():
            found = re.fullmatch(r"(.+)-(\d+)-(\d+)", key)
            if found and value.startswith("/") and not machines.is_below(Path(value), own):
                place = ("--storagectl", found[1], "--port", found[2], "--device", found[3])
                self.vboxmanage.change("storageattach", uuid, *place, "--medium", "none")

    def destroy_all(self) -> None:
        """Remove every machine of the lab, what an interrupted import left, and the lab's own files."""
        named = {known.uuid: known.machine for known in self._roster.records()}
        for machine in tuple(self._machines()):
            self._remove(machine, named.get(machine.uuid))
        self._preparation.sweep()
        media.forget_below(self.vboxmanage, self.lab.path)
        remove_tree(self.lab.path / "machines")
        self.folder.remove()

    def _machines(self) -> Iterator[Machine]:
        """By Vagrant's notes, by the mark, and what was being imported when a command was killed."""
        noted = {known.uuid for known in self._roster.records()}
        for uuid, machine in self.registry.machines().items():
            if uuid in noted or (machine.name.startswith(f"{self.lab.name}-") and self._is_marked(uuid)):
                yield machine
        yield from self._orphans()

    def _is_marked(self, uuid: str) -> bool:
        return self.vboxmanage.ask("getextradata", uuid, MARK_KEY).strip().endswith(f"Value: {self.mark}")

    def _orphans(self) -> Iterator[Machine]:
        """Imported and not noted: a kill in between. Who was there before, or has a name, is none."""
        before = self.folder.before_import()
        if before is not None:
            noted = {known.uuid for known in self._roster.records()}
            for uuid, machine in self.registry.machines().items():
                if uuid not in before and uuid not in noted and _IMPORTED.fullmatch(machine.name):
                    yield machine

    def _remove_orphans(self) -> None:
        for machine in tuple(self._orphans()):
            self._remove(machine, None)

    def residue(self) -> Sequence[str]:
        """Machines, media and files, as VirtualBox and the disk show them."""
        known = (*media.media(self.vboxmanage), *media.media(self.vboxmanage, "dvds"))
        folder = self.lab.path / "machines"
        return [
            *(f"machine {left.uuid}" for left in (*self._machines(), *self._preparation.abandoned())),
            *(f"medium {medium.location}" for medium in known if machines.is_below(medium.location, self.lab.path)),
            *(f"folder {place}" for place in (folder, self.folder.notes) if place.exists()),
        ]


def open_provider(home: Home, lab: LabDir, mark: str, settings: Sections) -> VagrantProvider:
    """The provider, bound to one lab."""
    del settings  # the plan brings them
    return VagrantProvider(home, lab, mark)
