"""The registry as pyvbox tells it, where its binding is there: without a process for each question.

pyvbox 2.1.1 knows the interfaces of VirtualBox 6.1. What it says of 7.x is compared with VBoxManage by a test;
its own table of machine states is wrong there, so the words come from vboxapi's.
"""

from __future__ import annotations

import atexit
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from labbuilder.errors import MachineError
from labbuilder.providers.virtualbox.registry import (
    INACCESSIBLE,
    UNREADABLE,
    Adapter,
    HostInterface,
    Machine,
    Registry,
    VBoxManageRegistry,
)
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage

Answer = TypeVar("Answer")
_DEBIANS_VBOXAPI = "/usr/lib/python3/dist-packages"
_STATES = {"PoweredOff": "poweroff", "Stuck": "gurumeditation", "AbortedSaved": "aborted-saved"}
_ATTACHMENTS = {1: "nat", 2: "bridged", 3: "intnet", 4: "hostonly", 5: "generic", 6: "natnetwork"}
_SLOTS = 8
_UP, _BRIDGED = 1, 1


def open_registry(vboxmanage: VBoxManage) -> Registry:
    """By pyvbox where its binding works, else by VBoxManage."""
    try:
        return PyvboxRegistry()
    except Exception:  # noqa: BLE001  not installed, or a binding for another Python or VirtualBox: each fails in its own way
        return VBoxManageRegistry(vboxmanage)


class PyvboxRegistry:
    """All questions are asked by one thread: XPCOM's objects belong to the thread that made them."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pyvbox")
        self._virtualbox, self._manager = self._asked(_connect)
        atexit.register(self._manager.deinit)  # later, vboxapi's own way out fails with a traceback

    def _asked(self, question: Callable[[], Answer]) -> Answer:
        return self._thread.submit(question).result()

    def version(self) -> str:
        """VirtualBox's version."""
        return self._asked(lambda: re.split(r"[r_]", self._virtualbox.version)[0])

    def names(self) -> dict[str, str]:
        """Every machine's name by its UUID."""
        return self._asked(
            lambda: {m.id_p: m.name if m.accessible else INACCESSIBLE for m in self._virtualbox.machines}
        )

    def machine(self, uuid: str) -> Machine:
        """One machine."""
        return self._asked(lambda: self._found(uuid))

    def _found(self, uuid: str) -> Machine:
        try:
            return self._machine(next(machine for machine in self._virtualbox.machines if machine.id_p == uuid))
        except StopIteration:
            raise MachineError(
                brief="VirtualBox does not know it any more", details=uuid, resolution="labbuilder up makes it again"
            ) from None

    def machines(self) -> dict[str, Machine]:
        """Every machine by its UUID."""
        return self._asked(lambda: {found.id_p: self._machine(found) for found in self._virtualbox.machines})

    def _machine(self, found: Any) -> Machine:
        uuid, settings = found.id_p, Path(found.settings_file_path)
        if not found.accessible:
            return Machine(uuid, INACCESSIBLE, UNREADABLE, settings)
        word = self._manager.getEnumValueName("MachineState", int(found._i.state))  # noqa: SLF001  pyvbox's table is wrong
        return Machine(
            uuid,
            found.name,
            _STATES.get(word, word.lower()),
            settings,
            tuple(_adapters(found)),
            tuple(_snapshots(found)),
        )

    def bridged_interfaces(self) -> tuple[HostInterface, ...]:
        """The host's interfaces that can be bridged to."""
        return self._asked(
            lambda: tuple(
                HostInterface(found.name, int(found.status) == _UP, bool(found.wireless), found.ip_address)
                for found in self._virtualbox.host.network_interfaces
                if int(found.interface_type) == _BRIDGED
            )
        )


def _connect() -> tuple[Any, Any]:
    try:
        importlib.import_module("vboxapi")
    except ImportError:
        sys.path.append(_DEBIANS_VBOXAPI)  # a virtual environment does not see it
    virtualbox = importlib.import_module("virtualbox")
    return virtualbox.VirtualBox(), virtualbox.Manager().manager


def _adapters(machine: Any) -> Iterator[Adapter]:
    for slot in range(1, _SLOTS + 1):
        card = machine.get_network_adapter(slot - 1)
        kind = _ATTACHMENTS.get(int(card.attachment_type))
        if card.enabled and kind:
            network = {"intnet": card.internal_network, "bridged": card.bridged_interface}.get(kind, "")
            yield Adapter(slot, kind, network, card.mac_address, bool(card.cable_connected))


def _snapshots(machine: Any) -> Iterator[str]:
    pending = [machine.find_snapshot("")] if machine.snapshot_count else []
    while pending:
        snapshot = pending.pop()
        yield snapshot.name
        pending += snapshot.children
