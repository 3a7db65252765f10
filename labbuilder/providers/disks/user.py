"""A disk that the user names: looked at, never written. Machines get a clone of it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from labbuilder.errors import HostError

_VDI_SIGNATURE = b"\x7f\x10\xda\xbe"  # at 0x40, behind a text that each tool words in its own way
_VDI_OFFSET = 0x40
_VHD_COOKIE = b"conectix"
_FOOTER_BYTES = 512


class DiskFormat(StrEnum):
    """What every hypervisor that we drive can clone."""

    VDI = "vdi"
    VMDK = "vmdk"
    VHD = "vhd"


def user_disk(path: Path) -> tuple[Path, DiskFormat]:
    """The absolute path of the user's disk and its format, by its content and not its name.

    Raises:
        HostError: It is not there, can't be read, or is another kind of file.
    """
    whole = path.expanduser().absolute()
    try:
        with open(whole, "rb") as file:
            head = file.read(_FOOTER_BYTES)
            size = file.seek(0, 2)
            file.seek(max(0, size - _FOOTER_BYTES))
            foot = file.read()
    except OSError as error:
        raise HostError(
            brief=f"the disk {whole} can't be read: {error.strerror}",
            resolution="name a VDI, VMDK or VHD that this user may read",
        ) from error
    found = _format(head, foot)
    if found is None:
        raise HostError(
            brief=f"{whole} is no disk of a known format",
            details=f"It begins with {head[:16]!r}",
            resolution="name a VDI, VMDK or VHD; others are turned into one by qemu-img convert -O vdi",
        )
    return whole, found


def _format(head: bytes, foot: bytes) -> DiskFormat | None:
    if head[_VDI_OFFSET : _VDI_OFFSET + 4] == _VDI_SIGNATURE:
        return DiskFormat.VDI
    if head.startswith((b"KDMV", b"# Disk DescriptorFile")):
        return DiskFormat.VMDK
    if head.startswith(_VHD_COOKIE) or foot.startswith(_VHD_COOKIE):  # a fixed one has the footer alone
        return DiskFormat.VHD
    return None
