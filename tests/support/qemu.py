"""Machines in QEMU without KVM, for what must boot: a disk, a seed and NICs in any slots."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from labbuilder.providers.virtualbox.ports import free_port

PACKAGES = ("qemu-system-x86", "qemu-utils", "fdisk", "grub-pc-bin", "grub-common")


@dataclass
class Qemu:
    """One machine; `slots` are the PCI slots of its NICs, the last of which is NAT with SSH forwarded."""

    folder: Path
    disk: Path
    seed: Path | None
    macs: Sequence[str]
    slots: Sequence[int] = (3, 8, 9)
    disk_format: str = "qcow2"
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def console(self) -> Path:
        return self.folder / "console.log"

    def __enter__(self) -> Self:
        # fmt: off
        argv: list[str | Path] = [
            "qemu-system-x86_64", "-M", "pc,accel=tcg", "-global", "PIIX4_PM.acpi-root-pci-hotplug=off",
            "-cpu", "max", "-m", "1024", "-smp", "1", "-display", "none", "-nodefaults", "-no-reboot",
            "-device", "virtio-scsi-pci,addr=0x10", "-device", "scsi-hd,drive=root",
            "-drive", f"if=none,id=root,format={self.disk_format},file={self.disk}",
            "-serial", f"file:{self.console}",
        ]
        if self.seed:
            argv += ["-drive", f"if=ide,media=cdrom,readonly=on,format=raw,file={self.seed}"]
        # fmt: on
        for index, (mac, slot) in enumerate(zip(self.macs, self.slots, strict=True)):
            last = index == len(self.macs) - 1
            net = f"user,net=10.0.99.0/24,hostfwd=tcp:127.0.0.1:{self.port}-:22" if last else "user,restrict=on"
            argv += ["-netdev", f"{net},id=n{index}"]
            argv += ["-device", f"virtio-net-pci,netdev=n{index},mac={mac},addr=0x{slot:x},romfile="]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Cut its power."""
        assert self.process
        self.process.kill()
        self.process.wait()


def overlay(base: Path, path: Path) -> Path:
    """A disk whose changes lie in a file of its own."""
    made = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "vdi", "-b", str(base), str(path)]
    subprocess.run(made, check=True)
    return path


def to_vdi(raw: Path, vdi: Path) -> None:
    """As VBoxManage convertfromraw does in the product."""
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vdi", raw, vdi], check=True)
