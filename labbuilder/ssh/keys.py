"""The lab's own SSH keys: one for who manages it, one for each machine. Never printed, mode 0600."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labbuilder.errors import MachineError
from labbuilder.host.store import LabDir

_making = threading.Lock()  # machines are made at once, and share the user's


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
        if not path.exists() or not self.identity.exists():
            raise self._lacking(machine)
        return " ".join(path.read_text(encoding="ascii").split()[:2])

    def _lacking(self, machine: str) -> MachineError:
        if not (self.folder.parent / "machines" / machine).exists():
            return MachineError(brief=f"{machine} was never made", resolution="labbuilder up makes it")
        return MachineError(
            brief=f"the keys that open {machine} are gone from {self.folder}",
            details="No other key opens it.",
            resolution="labbuilder up gives it new ones where its provider can, else labbuilder remake all does",
        )


def ensure_keys(lab: LabDir, machines: Sequence[str]) -> LabKeys:
    """Make the keys that are missing."""
    lab.keys.mkdir(mode=0o700, exist_ok=True)
    for name in ("user", *(f"host-{machine}" for machine in machines)):
        with _making:
            if not (lab.keys / f"{name}.pub").exists() or not (lab.keys / name).exists():
                _make(lab.keys / name)
    return LabKeys(lab.keys)


def _make(path: Path) -> None:
    """The public half is put in place last: it says that both are whole."""
    # Who has all keys needs none of it: 0.04 s.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    for half, text in ((path, private), (path.with_name(f"{path.name}.pub"), public + b" labbuilder\n")):
        part = half.with_name(f".{half.name}.part")
        with open(part, "wb", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
            file.write(text)
        part.rename(half)
