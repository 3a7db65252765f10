"""Machines in VirtualBox's registry: made, given their disks, started, and taken out of it with no disk deleted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from labbuilder.errors import MachineError
from labbuilder.providers.virtualbox.registry import UNREADABLE, Machine
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage

MARK_KEY = "labbuilder/mark"
CONTROLLER = "disks"
SAVED = frozenset({"saved", "aborted-saved"})  # it goes on from its memory when it is started
OFF = frozenset({"poweroff", "aborted", *SAVED})
CRASHED = "gurumeditation"  # it does nothing any more, and still holds its lock
DEAD = frozenset({CRASHED, *OFF})


def register(vboxmanage: VBoxManage, uuid: str, name: str, *, folder: Path, group: str, mark: str) -> None:
    """Make an empty machine that bears the mark."""
    # fmt: off
    vboxmanage.change(
        "createvm", "--name", name, "--uuid", uuid, "--ostype", "Debian12_64",
        "--groups", f"/labbuilder/{group}", "--basefolder", folder, "--register",
    )
    # fmt: on
    vboxmanage.change("setextradata", uuid, MARK_KEY, mark)


def attach(vboxmanage: VBoxManage, uuid: str, found: Mapping[str, Path]) -> None:
    """Give it these media, by their kind: "hdd", "dvddrive"."""
    controller = ("--name", CONTROLLER, "--add", "virtio-scsi", "--controller", "VirtIO", "--hostiocache", "on")
    vboxmanage.change("storagectl", uuid, *controller, "--bootable", "on", "--portcount", str(len(found)))
    for port, (kind, medium) in enumerate(found.items()):
        place = ("--storagectl", CONTROLLER, "--port", str(port), "--device", "0", "--type", kind)
        vboxmanage.change("storageattach", uuid, *place, "--medium", medium)


def state_before_start(machine: Machine, name: str) -> str:
    """Its state.

    Raises:
        MachineError: Its settings can't be read, so it can't be started.
    """
    if machine.state == UNREADABLE:
        raise MachineError(
            brief=f"VirtualBox can't read the settings of {name}",
            details=str(machine.settings),
            resolution="put that file back; or labbuilder down, then labbuilder up",
        )
    return machine.state


def switch_on(vboxmanage: VBoxManage, uuid: str) -> None:
    """Power it on without a window."""
    vboxmanage.change("startvm", uuid, "--type", "headless", timeout_s=300.0)


def switch_off(vboxmanage: VBoxManage, machine: Machine) -> None:
    """Leave it without power and without a kept memory: its disks can be detached then."""
    if machine.state in SAVED:
        vboxmanage.change("discardstate", machine.uuid)
    elif machine.state not in {*OFF, UNREADABLE}:
        vboxmanage.change("controlvm", machine.uuid, "poweroff")


def unregister(vboxmanage: VBoxManage, machine: Machine | None) -> None:
    """Only the machine, if VirtualBox has it: its media are detached first, so that VirtualBox deletes none."""
    if machine is None:
        return
    switch_off(vboxmanage, machine)
    vboxmanage.change("unregistervm", machine.uuid)


def is_below(path: Path | None, folder: Path) -> bool:
    """The path is known, and is the folder or lies in it."""
    return path is not None and path.is_relative_to(folder)
