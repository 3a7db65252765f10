"""The Vagrant provider: VirtualBox machines that Vagrant makes, starts, stops, keeps and removes.

What they do now, and what Vagrant has no word for (pause, cables, a power cut), VirtualBox is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from labbuilder.errors import LabError, MachineError
from labbuilder.host.store import Home, LabDir, remove_tree, write_atomic
from labbuilder.plan.model import MachinePlan, NetworkKind, Plan
from labbuilder.providers.vagrant import host
from labbuilder.providers.vagrant.boxes import Boxes
from labbuilder.providers.vagrant.command import Vagrant
from labbuilder.providers.vagrant.files import Folder
from labbuilder.providers.vagrant.prepare import PREPARE, write_identities
from labbuilder.providers.vagrant.vagrantfile import slots, vagrantfile
from labbuilder.providers.virtualbox import hardware, machines, media
from labbuilder.providers.virtualbox.host import require_driver
from labbuilder.providers.virtualbox.machines import DEAD, MARK_KEY, OFF
from labbuilder.providers.virtualbox.provider import VirtualBoxProvider, is_below
from labbuilder.providers.virtualbox.record import Record, load
from labbuilder.providers.virtualbox.registry import Machine
from labbuilder.providers.virtualbox.vboxmanage import parse_machine_readable
from labbuilder.spec.providers import Sections, VirtualBox
from labbuilder.ssh.endpoint import Endpoint
from labbuilder.ssh.keys import LabKeys

_IMPORTED = re.compile(r".+_\d{13}_\d{1,5}")  # what Vagrant calls a machine until it has a name


class VagrantProvider(VirtualBoxProvider):
    """Machines of one lab, made by Vagrant in the lab's folder.

    Args:
        home: Where boxes are kept.
        lab: The lab's folder; the Vagrantfile and what Vagrant notes of its machines lie in it, their disks where
            VirtualBox keeps machines.
        mark: The lab's mark: written into each machine's extra data.
    """

    kind = "vagrant"

    def __init__(self, home: Home, lab: LabDir, mark: str) -> None:
        super().__init__(home, lab, mark)
        self.boxes = Boxes(home, self.vboxmanage, self.registry)
        self.vagrant = Vagrant(lab.path, self.vboxmanage)
        self.folder = Folder(lab)

    def preflight(self, plan: Plan) -> None:
        """Raise for what is certain to fail later: no Vagrant for this VirtualBox, no bridge, no way to the box."""
        host.preflight(self.vagrant, self.registry)
        self.ensure_networks(plan)
        self.boxes.preflight(plan)

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
        known = self._record(machine.name)
        if known is not None and known.whole and known.uuid in self.registry.names():
            return
        if known is None:
            self._refuse_others(machine.name)
        self._remove_orphans()
        box = self.boxes.named(plan)
        self.folder.write(vagrantfile(plan, box, mark=self.mark, bridge=self._bridge(plan.section(VirtualBox).bridged)))
        write_identities(plan, plan.machines, self.lab, self.mark, box)  # who says `vagrant up` means all
        begun = Record(machine.name, known.uuid if known else "", 0).save(self.lab)
        with self.folder.importing(self.registry.names()):
            self.vagrant.up(machine.name, "defined")
        begun.save(self.lab, uuid=self.folder.uuid(machine.name), whole=True)

    def _record(self, name: str) -> Record | None:
        """With Vagrant's own note of the machine: who uses the Vagrantfile by hand makes others."""
        uuid, known = self.folder.uuid(name), load(self.lab, name)
        if uuid is None:
            return None
        if known is not None and known.uuid == uuid:
            return known
        return Record(name, uuid, 0, whole=known is None or known.whole)

    def _records(self) -> list[Record]:
        return [known for name in self.folder.machines() if (known := self._record(name)) is not None]

    def endpoint(self, name: str) -> Endpoint:
        """The forwarded port that Vagrant found free."""
        known, keys = self._made(name), LabKeys(self.lab.keys)
        seen = self._seen(known.uuid).items()
        rules = [value.split(",") for key, value in seen if key.startswith("Forwarding(")]
        port = next((int(rule[3]) for rule in rules if rule[0] == hardware.SSH_RULE), 0)
        return Endpoint(name, keys.host_public(name), keys.identity, port=port)

    def _seen(self, uuid: str) -> dict[str, str]:
        return parse_machine_readable(self.vboxmanage.ask("showvminfo", uuid, "--machinereadable"))

    def start(self, name: str) -> None:
        """Let Vagrant start it; nobody waits for its SSH yet."""
        known = self._made(name)
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
        super().wait_ready(name)
        prepared, uuid = self.lab.machine(name) / "prepared", self._made(name).uuid
        if self._is_of_users_box(name) and not (prepared.exists() and prepared.read_text(encoding="ascii") == uuid):
            self.vagrant.provision(name, "prepare")
            write_atomic(prepared, uuid)
            super().wait_ready(name)

    def _is_of_users_box(self, name: str) -> bool:
        return (self.lab.machine(name) / PREPARE).exists()

    def _slots(self, machine: str) -> Mapping[NetworkKind, int]:
        found = slots(own_box=not self._is_of_users_box(machine))
        return {"internal": found["internal"], "bridged": found["bridged"]}

    def stop(self, name: str) -> None:
        """Let Vagrant shut it down; after a minute it cuts the power, by the Vagrantfile."""
        known = self._record(name)
        if known is not None and self.registry.machine(known.uuid).state not in OFF:
            self.vagrant.halt(name)

    def save_snapshot(self, name: str) -> None:
        """A snapshot of each machine, of one that runs with its memory."""
        for known in self.known():
            self.vagrant.snapshot("save", known.machine, name)

    def restore_snapshot(self, name: str) -> None:
        """Restore it in each; one that ran goes on from its memory when it is started."""
        for known in self.known():
            self.vagrant.snapshot("restore", known.machine, name)

    def delete_snapshot(self, name: str) -> None:
        """Merge it into what came after it."""
        for known in self.known():
            if name in self.registry.machine(known.uuid).snapshots:
                self.vagrant.snapshot("delete", known.machine, name)

    def destroy(self, name: str) -> None:
        """Let Vagrant remove it and its disk."""
        known = self._record(name)
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
        for key, value in self._seen(uuid).items():
            found = re.fullmatch(r"(.+)-(\d+)-(\d+)", key)
            if found and value.startswith("/") and not is_below(Path(value), own):
                place = ("--storagectl", found[1], "--port", found[2], "--device", found[3])
                self.vboxmanage.change("storageattach", uuid, *place, "--medium", "none")

    def destroy_all(self) -> None:
        """Remove every machine of the lab, what an interrupted import left, and the lab's own files."""
        named = {known.uuid: known.machine for known in self._records()}
        for machine in tuple(self._machines()):
            self._remove(machine, named.get(machine.uuid))
        self.images.preparation.sweep()
        media.forget_below(self.vboxmanage, self.lab.path)
        remove_tree(self.lab.path / "machines")
        self.folder.remove()

    def _machines(self) -> Iterator[Machine]:
        """By Vagrant's notes, by the mark, and what was being imported when a command was killed."""
        noted = {known.uuid for known in self._records()}
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
            noted = {known.uuid for known in self._records()}
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
            *(f"machine {left.uuid}" for left in (*self._machines(), *self.images.preparation.abandoned())),
            *(f"medium {medium.location}" for medium in known if is_below(medium.location, self.lab.path)),
            *(f"folder {place}" for place in (folder, self.folder.notes) if place.exists()),
        ]


def open_provider(home: Home, lab: LabDir, mark: str, settings: Sections) -> VagrantProvider:
    """The provider, bound to one lab."""
    del settings  # the plan brings them
    return VagrantProvider(home, lab, mark)
