"""The lab's folder as Vagrant sees it: the Vagrantfile, and what Vagrant notes of its machines in .vagrant."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labbuilder.errors import HostError
from labbuilder.host.store import LabDir, remove_tree, write_atomic


class Folder:
    """Never writes over a Vagrantfile that labbuilder did not write, or that was changed since."""

    def __init__(self, lab: LabDir) -> None:
        self._lab = lab
        self.vagrantfile = lab.path / "Vagrantfile"
        self.notes = lab.path / ".vagrant"
        self._written = lab.path / "vagrantfile.sha256"
        self._before = lab.path / "vagrant-import.json"

    def write(self, text: str) -> None:
        """Write the Vagrantfile.

        Raises:
            HostError: There is one that is not what labbuilder wrote.
        """
        if self.vagrantfile.exists():
            there = _sum(self.vagrantfile.read_text(encoding="utf-8", errors="replace"))
            if there == _sum(text):
                return
            if not self._written.exists() or self._written.read_text(encoding="ascii") != there:
                raise HostError(
                    brief=f"{self.vagrantfile} is not as labbuilder wrote it",
                    details="It would have to be written anew, and what was changed in it would be lost.",
                    resolution="move it away; what VirtualBox shall do has a place in the spec: virtualbox.modifyvm",
                )
        write_atomic(self._written, _sum(text))
        write_atomic(self.vagrantfile, text)

    def machines(self) -> list[str]:
        """The names of the machines that Vagrant has notes of, sorted."""
        return sorted(path.parent.parent.name for path in self.notes.glob("machines/*/virtualbox/id"))

    def uuid(self, machine: str) -> str | None:
        """What Vagrant notes as the machine's id; None when it made none, or `vagrant destroy` removed it."""
        try:
            return (self._note(machine) / "virtualbox/id").read_text(encoding="ascii").strip() or None
        except FileNotFoundError:
            return None

    def _note(self, machine: str) -> Path:
        return self.notes / "machines" / machine

    def forget(self, machine: str) -> None:
        """Remove Vagrant's notes of a machine."""
        remove_tree(self._note(machine))

    @contextmanager
    def importing(self, there: Iterable[str]) -> Iterator[None]:
        """Note which machines there were, until the block has ended well: a kill in it leaves one without a name."""
        write_atomic(self._before, json.dumps(sorted(there)))
        yield
        self._before.unlink()

    def before_import(self) -> frozenset[str] | None:
        """The machines there were before the import that did not end; None when each has."""
        try:
            return frozenset(json.loads(self._before.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def remove(self) -> None:
        """Remove all of it."""
        remove_tree(self.notes)
        for file in (self.vagrantfile, self._written, self._before):
            file.unlink(missing_ok=True)


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
