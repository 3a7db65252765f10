"""A machine's folder: what it wrote, its mount point, its sockets and its console.

It comes whole, by rename, and goes so: a folder that is there is a machine's.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labbuilder.host.run import run
from labbuilder.host.store import LabDir, remove_tree, write_atomic
from labbuilder.providers.nspawn.ids import UID_SHIFT

_HARDWARE = "nics.json"
Cards = list[dict[str, Any]]
_PARTS = ("upper", "work", "root", "run")
# What costs each start of a machine a quarter of a second of CPU time, and is for a login or for disks and consoles of
# its own. Who asks logind, like loginctl, starts it.
_ON_DEMAND = ("dbus.service", "systemd-logind.service")
# fmt: off
_GENERATORS = (
    "cryptsetup", "debug", "getty", "gpt-auto", "hibernate-resume", "integritysetup", "run", "system-update",
    "veritysetup",
)
# fmt: on
_MASKED = (
    *(f"etc/systemd/system/multi-user.target.wants/{unit}" for unit in _ON_DEMAND),
    *(f"etc/systemd/system-generators/systemd-{name}-generator" for name in _GENERATORS),
)


def names(lab: LabDir) -> list[str]:
    """The lab's machines, sorted."""
    return sorted(path.name for path in (lab.path / "machines").glob("[!.]*/"))


def make(lab: LabDir, name: str, cards: Cards, seed: Mapping[str, tuple[str, int]]) -> None:
    """Make the folder.

    Args:
        lab: The machine's lab.
        name: The machine's name.
        cards: Its network cards: name, network, mac and bridge of each.
        seed: Its first files, by their paths without the first slash: text and mode.
    """
    folder = lab.machine(name)
    part = folder.with_name(f".{name}.part")
    remove_tree(part)
    for own in _PARTS:
        _folder(part / own)
    upper = part / "upper"
    for path, (text, mode) in seed.items():
        _parents(upper, path)
        (upper / path).write_text(text, encoding="utf-8")
        (upper / path).chmod(mode)
    for path in _MASKED:
        _parents(upper, path)
        (upper / path).symlink_to("/dev/null")
    for root, folders, files in os.walk(part):
        for entry in (*folders, *files):
            os.chown(Path(root) / entry, UID_SHIFT, UID_SHIFT, follow_symlinks=False)
    os.chown(part, UID_SHIFT, UID_SHIFT)
    part.chmod(0o700)  # else who may enter it could run what the machine's root made setuid
    _write_hardware(part, cards)
    part.rename(folder)


def _parents(upper: Path, path: str) -> None:
    for parent in reversed(Path(path).parents[:-1]):
        _folder(upper / parent)


def _folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o755)  # whatever the caller's umask is: the machine's / is one of them


def _write_hardware(folder: Path, cards: Cards) -> None:
    write_atomic(folder / _HARDWARE, json.dumps(cards))


def restore_hardware(lab: LabDir, name: str, cards: Cards) -> None:
    """Write again which cards the machine has, unless that is there."""
    path = lab.machine(name) / _HARDWARE
    if not path.is_file():
        remove_tree(path)
        _write_hardware(lab.machine(name), cards)


def hardware(lab: LabDir, name: str) -> Cards | None:
    """The cards of the machine; None when nothing tells."""
    try:
        cards: Cards = json.loads((lab.machine(name) / _HARDWARE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return cards


def identity(machine: str, host_key: str, authorized: str) -> dict[str, tuple[str, int]]:
    """The first files of a machine: its names and the keys of its management."""
    return {
        "etc/hostname": (f"{machine}\n", 0o644),
        "etc/machine-id": (f"{secrets.token_hex(16)}\n", 0o444),
        "etc/ssh/lab_host_ed25519": (host_key, 0o600),
        "etc/ssh/lab_authorized_keys": (authorized, 0o644),
    }


def save(lab: LabDir, name: str, snapshot: str) -> None:
    """Keep a copy of what the machine wrote."""
    _copy(lab.machine(name) / "upper", lab.snapshots / snapshot / name)


def restore(lab: LabDir, name: str, snapshot: str) -> None:
    """Put the copy in place of what the machine wrote since."""
    _copy(lab.snapshots / snapshot / name, lab.machine(name) / "upper")


def _copy(source: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.part")
    remove_tree(part)
    part.parent.mkdir(parents=True, exist_ok=True)
    run("cp", "-a", "--reflink=auto", source, part, timeout_s=600.0)
    remove_tree(target)
    part.rename(target)
