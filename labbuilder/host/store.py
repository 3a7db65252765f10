"""Where labbuilder keeps things, and how a lab's folder is written, locked and removed.

HOME/images/<recipe hash>/      root trees, shared by all labs
HOME/labs/<name>/               all of one lab: journal, spec, keys, machines
HOME/labbuilder.log             tracebacks of labbuilder's own mistakes
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from labbuilder.errors import HostError, SpecError

LAB_NAME = r"^[a-z][a-z0-9-]{0,30}$"
NAME_RULE = "lower-case letters a to z, digits and hyphens, a letter first, at most 31 of them"
_OURS = (
    *("journal.jsonl", "lab.yaml", "keys", "machines", "snapshots", "supervisor.log", "control.sock", "virtualbox"),
    *("Vagrantfile", ".vagrant", "vagrantfile.sha256", "vagrant-import.json"),
)


@dataclass(frozen=True)
class LabDir:
    """The folder of one lab. Everything labbuilder keeps for the lab lies in it."""

    name: str
    path: Path

    @property
    def journal(self) -> Path:
        """What was begun and what came of it, one JSON record a line."""
        return self.path / "journal.jsonl"

    @property
    def spec(self) -> Path:
        """The spec of the lab that is up, as YAML."""
        return self.path / "lab.yaml"

    @property
    def keys(self) -> Path:
        """The lab's own SSH keys, mode 0700."""
        return self.path / "keys"

    @property
    def lock(self) -> Path:
        """Held by the one command that changes the lab. It lies beside the folder: `down` removes the folder."""
        return self.path.with_name(f".{self.name}.lock")

    @property
    def snapshots(self) -> Path:
        """States of the lab that were kept, one folder each."""
        return self.path / "snapshots"

    def machine(self, name: str) -> Path:
        """The folder of one machine: its disk, console and sockets."""
        return self.path / "machines" / name

    @property
    def exists(self) -> bool:
        """There is something of the lab in its folder, or the folder is still empty."""
        entries = {entry.name for entry in self.path.iterdir()} if self.path.is_dir() else {""}
        return not entries or not entries.isdisjoint(_OURS)

    def make(self) -> None:
        """Make the folder, unless it is there; nobody else looks into it.

        Raises:
            HostError: It can't be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o700)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def remove(self) -> None:
        """Remove the folder; of one that somebody put elsewhere, by a link in its place, all that is the lab's."""
        if self.path.is_symlink() and self.path.is_dir():
            elsewhere = self.path.resolve()
            for name in _OURS:
                remove_tree(elsewhere / name)
            if not any(elsewhere.iterdir()):
                elsewhere.rmdir()
        remove_tree(self.path)


@dataclass(frozen=True)
class Home:
    """The root of all that labbuilder keeps: ``LABBUILDER_HOME``, else the user's XDG data folder."""

    path: Path

    @classmethod
    def default(cls) -> Home:
        """The home that the environment names."""
        named = os.environ.get("LABBUILDER_HOME")
        return cls(Path(named).absolute() if named else platformdirs.user_data_path("labbuilder"))

    @property
    def images(self) -> Path:
        """Root trees by the hash of their recipe."""
        return self.path / "images"

    @property
    def log(self) -> Path:
        """Tracebacks of labbuilder's own mistakes."""
        return self.path / "labbuilder.log"

    @property
    def labs(self) -> Path:
        """One folder a lab."""
        return self.path / "labs"

    def lab(self, name: str) -> LabDir:
        """The folder of the lab ``name``, whether it exists or not.

        Raises:
            SpecError: No lab can be called so; as a folder it might be no lab's.
        """
        if not re.fullmatch(LAB_NAME, name):
            raise SpecError(brief=f"{name!r} is no name of a lab", resolution=f"use {NAME_RULE}")
        return LabDir(name, self.labs / name)

    def lab_names(self) -> tuple[str, ...]:
        """The labs that were begun and are not gone, sorted; whether they can be read or not."""
        found = (p.name for p in self.labs.glob("[a-z]*") if re.fullmatch(LAB_NAME, p.name))
        return tuple(sorted(name for name in found if self.lab(name).exists))

    def unfinished(self) -> tuple[str, ...]:
        """The names of which killed commands left a lock or a half-removed folder."""
        left = (match for p in self.labs.glob(".*") if (match := re.fullmatch(r"\.(.+)\.(lock|gone)", p.name)))
        return tuple(sorted({match[1] for match in left if re.fullmatch(LAB_NAME, match[1])}))


@contextmanager
def locked(lab: LabDir) -> Iterator[None]:
    """Hold the lab's lock while the block runs: one command at a time changes a lab.

    Raises:
        HostError: Another labbuilder holds it.
    """
    try:
        lab.lock.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock = FileLock(lab.lock)
        lock.acquire(blocking=False)
    except Timeout as error:
        raise HostError(
            brief=f"another labbuilder is working on the lab {lab.name}",
            details=f"Lock: {lab.lock}",
            resolution="wait until it has ended, then try again",
        ) from error
    except OSError as error:
        raise unwritable(lab.lock.parent, error) from error
    try:
        yield
    finally:
        lab.lock.unlink(missing_ok=True)  # before the release: who waits takes a new file
        lock.release()


@contextmanager
def one_begins(home: Home) -> Iterator[None]:
    """Hold while a lab looks what others have taken and takes it; who comes meanwhile waits."""
    try:
        home.labs.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock = FileLock(home.labs / ".begin")
        lock.acquire()
    except OSError as error:
        raise unwritable(home.labs, error) from error
    try:
        yield
    finally:
        lock.release()


def unwritable(path: Path, error: OSError) -> HostError:
    """The error for a folder or file that can't be written."""
    return HostError(
        brief=f"{path} can't be written: {os.strerror(error.errno or 0)}",
        resolution="make room or give permission there, or set LABBUILDER_HOME to another folder",
    )


def write_atomic(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace the file in one step: a reader sees the old text or the new, never a half."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")  # another command may write the same
    with open(part, "w", encoding="utf-8", opener=lambda p, flags: os.open(p, flags, mode)) as file:
        part.chmod(mode)  # whatever the caller's umask is
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def remove_tree(path: Path) -> None:
    """Remove a folder of ours in one step: killed in the middle, it leaves nothing that looks whole."""
    gone = path.with_name(f".{path.name}.gone")
    for left in (gone, path):
        if left.is_symlink() or left.is_file():
            left.unlink()  # what a link leads to is not ours
        elif left.exists():
            if left is path:
                path.rename(gone)
            shutil.rmtree(gone)
