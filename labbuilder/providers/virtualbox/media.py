"""Disks of VirtualBox machines: cloned from a base, each lying in the lab's folder. No other medium is ever deleted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from labbuilder.errors import MachineError
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage

CLONE_LIMIT_S = 1800.0  # a disk of some gigabytes on a slow one


@dataclass(frozen=True)
class Medium:
    """A disk or an ISO in VirtualBox's registry."""

    uuid: str
    location: Path
    parent: str | None


def media(vboxmanage: VBoxManage, kind: str = "hdds") -> tuple[Medium, ...]:
    """What `list hdds` or `list dvds` knows."""
    return tuple(_media(vboxmanage.ask("list", kind)))


def _media(text: str) -> Iterator[Medium]:
    for block in re.split(r"\n\s*\n", text):
        found = dict(re.findall(r"^([\w ]+?):\s+(.*)$", block, re.MULTILINE))
        if "UUID" in found and "Location" in found:
            parent = found.get("Parent UUID", "base")
            yield Medium(found["UUID"], Path(found["Location"]), None if parent == "base" else parent)


class Bases:
    """Disks that are cloned. VirtualBox keeps each in mind until it is let go; one that the user gave it stays known.

    Args:
        vboxmanage: The registry.
        own: The folder of the bases that labbuilder made.
    """

    def __init__(self, vboxmanage: VBoxManage, own: Path) -> None:
        self._vboxmanage = vboxmanage
        self._own = own
        self._opened: set[Path] = set()

    @cached_property
    def _users(self) -> frozenset[Path]:
        known = media(self._vboxmanage)
        return frozenset(medium.location for medium in known if not medium.location.is_relative_to(self._own))

    def full_clone(self, base: Path, target: Path) -> None:
        """Copy the base disk whole.

        A base that was replaced under its path while VirtualBox had it in mind has another UUID: it is forgotten first.
        """
        words = ("clonemedium", "disk", base, target)
        if base not in self._users:
            self._opened.add(base)
        try:
            self._vboxmanage.change(*words, timeout_s=CLONE_LIMIT_S)
        except MachineError:
            forget_below(self._vboxmanage, base)
            self._opened.add(base)
            self._vboxmanage.change(*words, timeout_s=CLONE_LIMIT_S)

    def let_go(self) -> None:
        """Have VirtualBox forget the bases that it knows by our cloning alone."""
        while self._opened:
            forget(self._vboxmanage, "disk", self._opened.pop())


def linked_clone(vboxmanage: VBoxManage, parent: Path, target: Path) -> None:
    """Make a disk that holds only what differs from its parent."""
    vboxmanage.change("createmedium", "disk", "--diffparent", parent, "--filename", target)


def forget_below(vboxmanage: VBoxManage, *places: Path) -> None:
    """Close every medium that is one of the places or lies below one, children before parents; the files stay."""
    for kind, word in (("hdds", "disk"), ("dvds", "dvd")):
        known = media(vboxmanage, kind)
        inside = [medium for medium in known if any(medium.location.is_relative_to(place) for place in places)]
        for medium in _children_first(inside):
            forget(vboxmanage, word, medium.uuid)


def forget(vboxmanage: VBoxManage, word: str, medium: str | Path) -> None:
    """Close one; the file stays. Media that only an unregistered machine knew may have gone by themselves."""
    try:
        vboxmanage.change("closemedium", word, medium)
    except MachineError:
        kind = {"disk": "hdds", "dvd": "dvds"}[word]
        if any(medium in (known.uuid, known.location) for known in media(vboxmanage, kind)):
            raise


def _children_first(found: list[Medium]) -> Iterator[Medium]:
    left = list(found)
    while left:
        parents = {medium.parent for medium in left}
        leaves = [medium for medium in left if medium.uuid not in parents]
        if not leaves:
            return
        yield from leaves
        left = [medium for medium in left if medium not in leaves]
