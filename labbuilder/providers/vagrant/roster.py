"""The machines of a lab, as Vagrant notes them: who uses the Vagrantfile by hand makes others."""

from __future__ import annotations

from collections.abc import Mapping

from labbuilder.host.store import LabDir
from labbuilder.providers.vagrant.files import Folder
from labbuilder.providers.vagrant.prepare import PREPARE
from labbuilder.providers.vagrant.vagrantfile import slots
from labbuilder.providers.virtualbox import hardware
from labbuilder.providers.virtualbox.record import Record, load
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage, parse_machine_readable


class Noted:
    """What `Control` asks: Vagrant's notes, with what labbuilder wrote down beside them."""

    def __init__(self, lab: LabDir, folder: Folder, vboxmanage: VBoxManage) -> None:
        self._lab = lab
        self._folder = folder
        self._vboxmanage = vboxmanage

    def record(self, name: str) -> Record | None:
        """Return what is known of a machine that Vagrant has made; None of one that it has not."""
        uuid, known = self._folder.uuid(name), load(self._lab, name)
        if uuid is None:
            return None
        if known is not None and known.uuid == uuid:
            return known
        return Record(name, uuid, 0, whole=known is None or known.whole)

    def records(self) -> list[Record]:
        """Return all that Vagrant has made, sorted by name."""
        return [known for name in self._folder.machines() if (known := self.record(name)) is not None]

    def port(self, known: Record) -> int:
        """Return the forwarded port that Vagrant found free."""
        rules = [value.split(",") for key, value in self.seen(known.uuid).items() if key.startswith("Forwarding(")]
        return next((int(rule[3]) for rule in rules if rule[0] == hardware.SSH_RULE), 0)

    def slots(self, known: Record) -> Mapping[str, int]:
        """Return which of VirtualBox's adapters each of the machine's cards is: that depends on its box."""
        return slots(known.networks, own_box=not self.is_of_users_box(known.machine))

    def is_of_users_box(self, name: str) -> bool:
        """The machine was imported from a box of the user's, which is prepared once."""
        return (self._lab.machine(name) / PREPARE).exists()

    def seen(self, uuid: str) -> dict[str, str]:
        """Return all that VirtualBox says of a machine, by its own keys."""
        return parse_machine_readable(self._vboxmanage.ask("showvminfo", uuid, "--machinereadable"))
