"""The lab's own SSH keys: one for who manages it, one for each machine. Never printed, mode 0600."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labbuilder.errors import MachineError
from labbuilder.host.parallel import for_each
from labbuilder.host.run import run
from labbuilder.host.store import LabDir

_making_user = threading.Lock()  # machines are made at once, and share it


@dataclass(frozen=True)
class LabKeys:
    """Keys of one lab, in its folder."""

    folder: Path

    @property
    def identity(self) -> Path:
        """The private key that opens every machine of the lab."""
        return self.folder / "user"

    @property
    def authorized(self) -> str:
        """The line for authorized_keys."""
        return self.identity.with_suffix(".pub").read_text(encoding="ascii")

    def host_private(self, machine: str) -> str:
        """The machine's own private key."""
        return (self.folder / f"host-{machine}").read_text(encoding="ascii")

    def host_public(self, machine: str) -> str:
        """What the machine must show when it is connected to: type and key.

        Raises:
            MachineError: It was never made.
        """
        path = self.folder / f"host-{machine}.pub"
        if not path.exists():
            raise MachineError(brief=f"{machine} was never made", resolution="labbuilder up makes it")
        return " ".join(path.read_text(encoding="ascii").split()[:2])


def ensure_keys(lab: LabDir, machines: Sequence[str]) -> LabKeys:
    """Make the keys that are missing."""
    lab.keys.mkdir(mode=0o700, exist_ok=True)
    with _making_user:
        if not (lab.keys / "user.pub").exists():
            _make(lab.keys, "user")
    names = [f"host-{machine}" for machine in machines]
    for_each([name for name in names if not (lab.keys / f"{name}.pub").exists()], lambda n: _make(lab.keys, n))
    return LabKeys(lab.keys)


def _make(folder: Path, name: str) -> None:
    """The public half is put in place last: it says that both are whole."""
    part = folder / f".{name}"
    for half in (part, part.with_suffix(".pub")):
        half.unlink(missing_ok=True)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "labbuilder", "-f", part)
    part.rename(folder / name)
    part.with_suffix(".pub").rename(folder / f"{name}.pub")
