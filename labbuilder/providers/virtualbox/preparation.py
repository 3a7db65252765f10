"""The one boot in which Debian's cloud image is prepared: by a machine in the image's folder, gone afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

from labbuilder.errors import MachineError
from labbuilder.host.wait import wait_until
from labbuilder.providers.images import ImageCache
from labbuilder.providers.virtualbox import hardware, machines, media
from labbuilder.providers.virtualbox.machines import CRASHED, OFF
from labbuilder.providers.virtualbox.registry import Machine, Registry
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage
from labbuilder.spec.providers import VirtualBox

_PREFIX = "labbuilder-"
_MARK = "image"
_LIMIT_S = 3600.0  # a slow mirror, a slow disk


class Preparation:
    """Boots a disk until it switches itself off; see `labbuilder.providers.disks.cloud`."""

    def __init__(self, cache: ImageCache, vboxmanage: VBoxManage, registry: Registry) -> None:
        self._cache = cache
        self._vboxmanage = vboxmanage
        self._registry = registry

    def boot(
        self, name: str, settings: VirtualBox, disk: Path, cd: Path, console: Path, look: Callable[[], None]
    ) -> None:
        """Make a machine of the disk and the CD, wait until it is off, and forget it.

        Args:
            name: The image's.
            settings: The spec's.
            disk: It is changed.
            cd: The CD.
            console: The file that its serial port writes.
            look: Called now and then meanwhile.

        Raises:
            MachineError: It crashed.
            WaitError: It never switched itself off.
        """
        self._clear(name)
        uuid = str(uuid4())
        try:
            self._start(uuid, name, settings, {"hdd": disk, "dvddrive": cd}, console)
            wait_until("the cloud image is prepared", lambda: self._is_off(uuid, look), within_s=_LIMIT_S, every_s=1.0)
        finally:
            self._clear(name)

    def _start(self, uuid: str, name: str, settings: VirtualBox, found: dict[str, Path], console: Path) -> None:
        vboxmanage, folder = self._vboxmanage, console.parent
        machines.register(vboxmanage, uuid, _PREFIX + name, folder=folder, group=_PREFIX + name, mark=_MARK)
        vboxmanage.change("modifyvm", uuid, *hardware.preparing_words(settings, console=str(console)))
        for key, value in settings.extradata.items():
            vboxmanage.change("setextradata", uuid, key, value)
        machines.attach(vboxmanage, uuid, found)
        machines.switch_on(vboxmanage, uuid)

    def _is_off(self, uuid: str, look: Callable[[], None]) -> bool:
        look()
        state = self._registry.machine(uuid).state
        if state == CRASHED or state.startswith("aborted"):
            raise MachineError(
                brief="Debian's cloud image crashed while it was prepared",
                details=f"VirtualBox says: {state}",
                resolution="try again; labbuilder doctor may say why",
            )
        return state in OFF

    def sweep(self) -> None:
        """Remove the machines of preparations that were killed; one that goes on is left alone."""
        for name, _ in tuple(self._machines()):
            with self._cache.unused(name) as idle:
                if idle:
                    self._clear(name)

    def abandoned(self) -> list[Machine]:
        """What `sweep` would remove."""
        found = []
        for name, machine in self._machines():
            with self._cache.unused(name) as idle:
                found += [machine] if idle else []
        return found

    def _clear(self, name: str) -> None:
        for machine in [machine for image, machine in self._machines() if image == name]:
            machines.unregister(self._vboxmanage, machine)
        media.forget_below(self._vboxmanage, self._cache.part(name))

    def _machines(self) -> Iterator[tuple[str, Machine]]:
        """The machines whose settings lie where an image is made, each with the image's name before it."""
        for machine in self._registry.machines().values():
            if machine.settings is not None and machine.settings.is_relative_to(self._cache.folder):
                yield self._cache.name_of_part(machine.settings), machine
