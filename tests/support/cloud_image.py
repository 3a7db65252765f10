"""A cloud image like Debian's `generic` one, built here: its tree has cloud-init, netplan and networkd, and no lab."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

import userland
from filelock import FileLock

from labbuilder.model.lab import ImageRecipe
from labbuilder.plan.image import image_recipe
from labbuilder.providers.disks import built
from labbuilder.providers.disks.recipe import KERNEL
from labbuilder.spec.models import LabSpec

# What the recipe asks for beyond these is installed by the preparation, in emulation, where each costs seconds.
PREINSTALLED = (
    *("bind9", "bind9-dnsutils", "kea-admin", "kea-dhcp4-server", "tcpdump", "iptables", "iputils-ping", "less"),
    *("nano", "netcat-openbsd", "busybox"),
)
PACKAGES = (
    *("cloud-init", "netplan.io", "systemd-resolved", "openssh-server", "sudo", "systemd-sysv", "dbus", "udev"),
    *("iproute2", "procps", "kmod", "netbase", "hostname", "ca-certificates", "initramfs-tools", "zstd"),
    *KERNEL,
)
_CUSTOMIZE = """\
set -eu
rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/hostname "$1"/etc/resolv.conf
: > "$1/etc/machine-id"
ln -s ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"
chroot "$1" systemctl -q enable systemd-networkd systemd-resolved
"""
_GUEST_BYTES = 2 << 30


def cloud_recipe() -> ImageRecipe:
    """What is in it."""
    packages = (*PACKAGES, *PREINSTALLED)
    return replace(image_recipe(LabSpec()), packages=packages, files=(), customize=_CUSTOMIZE)


def build() -> Path:
    """The archive as Debian publishes it, a tar.xz with disk.raw in it; built once."""
    recipe = cloud_recipe()
    key = hashlib.sha256(f"{recipe.digest} {_GUEST_BYTES}".encode()).hexdigest()[:12]
    folder = userland.cache() / f"cloud-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    archive, part = folder / "debian-12-generic-amd64.tar.xz", folder / "part"
    with FileLock(folder / ".lock"):
        if not archive.exists():
            raw = folder / "disk.raw"
            built.build_raw(recipe, raw, lambda _: None, size_bytes=_GUEST_BYTES)
            packed = ["tar", "-C", str(folder), "-I", "xz -0 -T2", "-cf", str(part), raw.name]
            subprocess.run(packed, check=True)
            raw.unlink()
            part.rename(archive)
    return archive


if __name__ == "__main__":
    print(build())
