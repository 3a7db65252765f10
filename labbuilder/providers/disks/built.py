"""A bootable disk from an image recipe: mmdebstrap, ext4, GRUB for BIOS; no mount, no loop device."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from labbuilder.errors import CommandError, HostError
from labbuilder.host.run import run
from labbuilder.model.lab import ImageRecipe
from labbuilder.providers.debian import build_tree
from labbuilder.providers.images import no_room

BUILDER = 2  # raise it when the same recipe gives another disk
SIZE_BYTES = 4 << 30  # the guest's view; a VDI takes what is written
_LABEL = "labroot"
_PARTITION_SECTOR = 2048
_SECTOR = 512
_BOOT_CODE_BYTES = 440  # the rest of the sector is the partition table
_TOOLS = ("mmdebstrap", "mke2fs", "sfdisk", "grub-mkimage")
_IN_NAMESPACE = ("unshare", "--map-root-user", "--map-auto", "--")
_GRUB = Path("/usr/lib/grub/i386-pc")
_GRUB_MODULES = ("biosdisk", "part_msdos", "ext2", "linux", "gzio")

# What GRUB 2.06 reads: newer mke2fs would add features that it takes for another file system.
_FEATURES = (
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,"
    "sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum"
)

# net.ifnames=0: no name is taken before the seed's .link files give it, so no two NICs can be in each other's way.
_BOOT = f"""\
set root=(hd0,msdos1)
linux /vmlinuz root=LABEL={_LABEL} rw net.ifnames=0 console=tty0 console=ttyS0,115200
initrd /initrd.img
boot
"""


def preflight() -> None:
    """Raise what is certain to fail later; quick.

    Raises:
        HostError: Not an amd64 Linux, or a tool is not there.
    """
    system, machine = platform.system(), platform.machine()
    if (system, machine) != ("Linux", "x86_64"):
        raise HostError(
            brief="disks are built on amd64 Linux only",
            details=f"This host: {system} {machine}",
            resolution="use Debian's cloud image or a disk of your own",
        )
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [tool for tool in _TOOLS if shutil.which(tool, path=path) is None]
    missing += [] if (_GRUB / "boot.img").exists() else [str(_GRUB / "boot.img")]
    if missing:
        raise HostError(
            brief="a tool to build disks is not installed",
            details=f"Missing: {', '.join(missing)}",
            resolution="apt install mmdebstrap e2fsprogs fdisk grub-pc-bin grub-common",
        )
    if os.geteuid() != 0:
        _require_namespace()


def _require_namespace() -> None:
    """Who is not root builds in a user namespace that has many users: the tree's files belong to several."""
    try:
        run(*_IN_NAMESPACE, "true")
    except CommandError as error:
        raise HostError(
            brief="only root can build disks here: this user may not make a user namespace with many users",
            details=error.details,
            resolution="apt install uidmap; usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER; "
            "where the kernel forbids it (AppArmor, kernel.unprivileged_userns_clone=0), run image build as root",
        ) from error


def build_raw(recipe: ImageRecipe, raw: Path, note: Callable[[int], None], *, size_bytes: int = SIZE_BYTES) -> None:
    """Build a raw disk, sparse, that boots by BIOS and has its console on ttyS0 too.

    Args:
        recipe: From `disk_recipe`.
        raw: The file to make.
        note: Told how many packages were unpacked and set up.
        size_bytes: Of the disk.

    Raises:
        HostError: No room, or a tool is missing.
        CommandError: A tool failed; its last lines are in the details.
    """
    preflight()
    tar = raw.with_suffix(".tar")
    try:
        build_tree(recipe, tar, note)
        with open(raw, "wb") as disk:
            disk.truncate(size_bytes)
        run("sfdisk", "-q", raw, stdin=f"{_PARTITION_SECTOR},,L,*\n")
        _fill(tar, raw, size_bytes)
        _make_bootable(raw)
    except CommandError as error:
        if "No space left on device" in (error.details or ""):
            raise no_room(raw.parent, error.details or "") from error
        raise
    finally:
        tar.unlink(missing_ok=True)


def _fill(tar: Path, raw: Path, size_bytes: int) -> None:
    """Make the file system in the partition, with the tree in it; owners are right in a user namespace too."""
    kib = (size_bytes - _PARTITION_SECTOR * _SECTOR) // 1024
    # lazy_itable_init=0: else the guest's first minutes are spent on zeroing inode tables, which fills the VDI
    options = f"offset={_PARTITION_SECTOR * _SECTOR},lazy_itable_init=0,lazy_journal_init=0,nodiscard"
    # the initramfs mounts devtmpfs, and a user namespace makes no device nodes
    script = (
        'set -eu; tree=$(mktemp -d "$3/tree.XXXX"); trap \'rm -rf "$tree"\' EXIT; '
        'tar -C "$tree" --xattrs --xattrs-include="*" --numeric-owner --exclude="./dev/*" -xpf "$1"; rm -f "$1"; '
        f'mke2fs -q -F -t ext4 -m 0 -L {_LABEL} -O {_FEATURES} -E {options} -d "$tree" "$2" {kib}k'
    )
    alone = () if os.geteuid() == 0 else _IN_NAMESPACE
    run(*alone, "sh", "-c", script, "sh", tar, raw, raw.parent, timeout_s=1800)


def _make_bootable(raw: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="labbuilder-") as scratch:
        config, core = Path(scratch) / "grub.cfg", Path(scratch) / "core.img"
        config.write_text(_BOOT, encoding="ascii")
        run("grub-mkimage", "-O", "i386-pc", "-p", "/boot/grub", "-c", config, "-o", core, *_GRUB_MODULES)
        image = core.read_bytes()
    room = (_PARTITION_SECTOR - 1) * _SECTOR
    if len(image) > room:
        raise HostError(brief="GRUB does not fit before the partition", details=f"{len(image)} bytes of {room}")
    with open(raw, "r+b") as disk:
        disk.write((_GRUB / "boot.img").read_bytes()[:_BOOT_CODE_BYTES])
        disk.seek(_SECTOR)  # where boot.img looks for it
        disk.write(image)
