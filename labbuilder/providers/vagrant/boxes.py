"""The box that a lab's machines are imported from: packed from VirtualBox's base disk, or the user's."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

from labbuilder.errors import ProviderUnavailableError
from labbuilder.host import progress
from labbuilder.host.store import Home, remove_tree
from labbuilder.model.lab import Plan
from labbuilder.providers.images import ImageCache
from labbuilder.providers.vagrant.command import Vagrant
from labbuilder.providers.vagrant.vagrantfile import Box
from labbuilder.providers.virtualbox import machines, media
from labbuilder.providers.virtualbox.images import BaseDisks
from labbuilder.providers.virtualbox.registry import Registry
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage
from labbuilder.spec.providers import Vagrant as VagrantSettings

BOX = "lab.box"
METADATA = "metadata.json"
VERSION = "1.0.0"
_PACKER = 1  # raise it when the same disk gives another box
_NEEDED_BYTES = 3_000_000_000
BOX_VM = "labbuilder-box"


class Boxes:
    """The boxes of one home; Vagrant keeps an unpacked copy of its own."""

    def __init__(self, home: Home, vboxmanage: VBoxManage, registry: Registry) -> None:
        self._cache = ImageCache(home)
        self._vboxmanage = vboxmanage
        self._registry = registry
        self._disks = BaseDisks(home, vboxmanage, registry)

    def cache_name(self, plan: Plan) -> str | None:
        """What our box is called in the cache; None for a box of the user's."""
        return f"box-{self._digest(plan)}" if plan.section(VagrantSettings).box == "built" else None

    def _digest(self, plan: Plan) -> str:
        """A disk of the user's is known by its place, size and date: to read it whole takes too long."""
        what = self._disks.name(plan)
        if what is None:
            path = self._disks.path(plan)
            about = path.stat() if path.exists() else None
            what = repr((str(path), about and (about.st_size, about.st_mtime_ns)))
        return hashlib.sha256(f"{_PACKER} {what}".encode()).hexdigest()[:12]

    def named(self, plan: Plan) -> Box:
        """The box as the Vagrantfile names it; where our own is not packed yet, without its sum."""
        asked, cached = plan.section(VagrantSettings), self.cache_name(plan)
        if cached is None:
            return Box(asked.box, own=False, version=asked.box_version, url=asked.box_url)
        file = self._cache.path(cached) / BOX
        sha256 = self._metadata(cached)["checksum"] if file.exists() else None
        return Box(f"labbuilder/{plan.image.suite}-{self._digest(plan)}", file=str(file), sha256=sha256)

    def _metadata(self, cached: str) -> dict[str, str]:
        text = (self._cache.path(cached) / METADATA).read_text(encoding="utf-8")
        known: dict[str, str] = json.loads(text)["versions"][0]["providers"][0]
        return known

    def preflight(self, plan: Plan) -> None:
        """Raise what is certain to keep `ensure_file` from its work; quick.

        Raises:
            HostError: VirtualBox is not installed, the user's own disk is no disk, or a tool to build one is missing.
        """
        if self._still_to_pack(plan) is not None:
            try:
                self._registry.version()  # VBoxManage packs it, at the very end
            except ProviderUnavailableError as error:
                error.resolution = "install VirtualBox; or name a box: `vagrant: {box: debian/bookworm64}`, say"
                raise
            self._disks.preflight(plan)

    def _still_to_pack(self, plan: Plan) -> str | None:
        """What our box will be called in the cache, where it is not there yet."""
        cached = self.cache_name(plan)
        return cached if cached is not None and not self._cache.path(cached).exists() else None

    def ensure_file(self, plan: Plan) -> None:
        """Pack our own box unless it is there; the user's is no business of ours.

        Raises:
            HostError: No room, no disk, or a tool is missing.
            CommandError, MachineError: It could not be built or packed.
        """
        cached = self._still_to_pack(plan)
        if cached is None:
            return
        self._disks.ensure(plan)
        name = self.named(plan).name

        def make(folder: Path, step: progress.Step) -> None:
            self._pack(self._disks.path(plan), folder, step)
            _describe(name, folder, self._cache.path(cached) / BOX)

        self._cache.ensure(cached, "box", plan.image.suite, _NEEDED_BYTES, make)

    def has(self, plan: Plan) -> bool:
        """Vagrant has the box."""
        return self.named(plan).name in self._vagrant().boxes()

    def add(self, plan: Plan) -> None:
        """Let Vagrant have the box; it downloads the user's by itself, when it imports the first machine."""
        cached = self.cache_name(plan)
        if cached is not None and not self.has(plan):
            self._vagrant().add_box(self.named(plan).name, str(self._cache.path(cached) / METADATA))

    def _vagrant(self) -> Vagrant:
        """In a folder that is there before any lab is."""
        self._cache.folder.mkdir(parents=True, exist_ok=True)
        return Vagrant(self._cache.folder, self._vboxmanage)

    def _pack(self, disk: Path, folder: Path, step: progress.Step) -> None:
        """By a machine that never starts; one that a killed labbuilder left is removed first."""
        uuid, place = str(uuid5(NAMESPACE_OID, str(folder))), folder / "vm"
        vboxmanage, registry = self._vboxmanage, self._registry
        bases = media.Bases(vboxmanage, self._cache.folder)

        def forget() -> None:
            machines.unregister(vboxmanage, registry.machines().get(uuid))
            media.forget_below(vboxmanage, place)
            remove_tree(place)

        forget()
        try:
            machines.register(vboxmanage, uuid, BOX_VM, folder=place, group=BOX_VM, mark="box")
            bases.full_clone(disk, place / "disk.vdi")
            machines.attach(vboxmanage, uuid, {"hdd": place / "disk.vdi"})
            vboxmanage.change("storagectl", uuid, "--name", machines.CONTROLLER, "--portcount", "2")  # one for the CD
            step.advance(0.3)
            Vagrant(folder, vboxmanage).package(uuid, folder / BOX)
        finally:
            bases.let_go()
            forget()


def _describe(name: str, folder: Path, final: Path) -> None:
    """Write the metadata by which Vagrant adds the box and tests its sum."""
    with open(folder / BOX, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    provider = {"name": "virtualbox", "url": final.as_uri(), "checksum_type": "sha256", "checksum": sha256}
    about = {
        "name": name,
        "description": "A Debian machine of a labbuilder lab; it learns who it is from a CD labelled CIDATA.",
        "versions": [{"version": VERSION, "providers": [provider]}],
    }
    (folder / METADATA).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
