"""Debian's `generic` cloud image: downloaded, and prepared once by its own cloud-init. On any system."""

from __future__ import annotations

import platform
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from labbuilder.errors import HostError, MachineError
from labbuilder.host.assets import IMAGE_FILES
from labbuilder.model.lab import ImageRecipe
from labbuilder.providers.debian import archives
from labbuilder.providers.disks import cloudinit
from labbuilder.providers.disks.recipe import disk_recipe
from labbuilder.providers.disks.seed import pack, write_cd

PREPARER = 1  # raise it when the same recipe gives another disk
PREPARE = IMAGE_FILES / "cloud" / "prepare.sh"
_PREPARED = "labbuilder: this disk is prepared"
_SUMS = "SHA512SUMS"
_RELEASES = {"bookworm": "12", "trixie": "13"}
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_CHUNK = 1 << 20
_LAST_LINES = 20

Boot = Callable[[Path, Path, Path, Callable[[], None]], None]
"""Boots a disk (first) with a CD (second) and one NIC to the world until it switches itself off. The console goes
to a file (third); the last is called now and then meanwhile."""


@dataclass(frozen=True)
class CloudImage:
    """One of Debian's cloud images.

    Attributes:
        images: Where they lie: ``https://cloud.debian.org/images/cloud``, or a mirror of it.
        suite: The Debian release.
        architecture: Debian's name for it.
    """

    images: str
    suite: str
    architecture: str

    @property
    def name(self) -> str:
        """The archive that holds disk.raw."""
        return f"debian-{_RELEASES[self.suite]}-generic-{self.architecture}.tar.xz"

    @property
    def folder(self) -> str:
        """The address of the newest build."""
        return f"{self.images.rstrip('/')}/{self.suite}/latest"


def cloud_image(images: str, suite: str) -> CloudImage:
    """The image for this host.

    Raises:
        HostError: Debian has none for this processor.
    """
    machine = platform.machine().lower()
    if machine not in _ARCHITECTURES:
        raise HostError(
            brief=f"Debian has no cloud image for this processor ({machine})",
            resolution="name a disk of your own in the spec: `virtualbox: {image: PATH}`",
        )
    return CloudImage(images, suite, _ARCHITECTURES[machine])


def fetch(image: CloudImage, folder: Path, note: Callable[[float], None]) -> Path:
    """The image's archive in the folder, whole and with the published sum.

    Raises:
        HostError: No network, no such image, no room, or another sum than the published one.
    """
    from labbuilder.providers.disks.download import client, download, sha512_of  # noqa: PLC0415  httpx is slow to load

    archive = folder / image.name
    folder.mkdir(parents=True, exist_ok=True)
    with client() as web:
        published = sha512_of(web, f"{image.folder}/{_SUMS}", image.name)
        download(web, f"{image.folder}/{image.name}", archive, sha512=published, note=note)
    return archive


def unpack(archive: Path, raw: Path) -> None:
    """Write the disk that the archive holds, sparse where the system can.

    Raises:
        HostError: There is none in it.
    """
    with tarfile.open(archive, "r:xz") as tar:
        for member in tar:
            source = tar.extractfile(member) if member.name.endswith(".raw") else None
            if source is not None:
                with open(raw, "wb") as target:
                    _copy_sparse(source, target)
                return
    raise HostError(
        brief=f"{archive.name} holds no disk", resolution="look what the mirror has, or name a disk of your own"
    )


def _copy_sparse(source: IO[bytes], target: IO[bytes]) -> None:
    while chunk := source.read(_CHUNK):
        if chunk.count(0) == len(chunk):
            target.seek(len(chunk), 1)
        else:
            target.write(chunk)
    target.truncate()


def prepare(recipe: ImageRecipe, disk: Path, boot: Boot, note: Callable[[int], None]) -> None:
    """Boot the disk once; its cloud-init installs what the recipe asks for, and is then switched off for ever.

    Args:
        recipe: The lab's own.
        disk: It is changed.
        boot: The hypervisor's.
        note: Told how many packages were unpacked and set up.

    Raises:
        MachineError: It was not prepared; what its console said last is in the details.
    """
    cd, console = disk.with_name("prepare.iso"), disk.with_name("console.log")
    write_cd(_documents(recipe), cd)
    boot(disk, cd, console, lambda: note(_packages_done(_said(console))))
    said = _said(console)
    if _PREPARED not in said:
        raise MachineError(
            brief="Debian's cloud image could not be prepared",
            details="\n".join(said.splitlines()[-_LAST_LINES:]),
            resolution="it needs a Debian mirror (`mirror:` in the spec names one); try again",
        )
    for file in (cd, console):
        file.unlink()


def _said(console: Path) -> str:
    return console.read_text(encoding="utf-8", errors="replace") if console.exists() else ""


def _packages_done(said: str) -> int:
    return sum(line.startswith(("Unpacking ", "Setting up ")) for line in said.splitlines())


def _documents(recipe: ImageRecipe) -> dict[str, bytes]:
    """The CD: cloud-init is told one command, which finds the rest beside it."""
    whole = disk_recipe(recipe)
    texts = {
        "meta-data": cloudinit.meta_data("labbuilder-prepare", "labbuilder"),
        "user-data": cloudinit.preparing_user_data(),
        "prepare.sh": PREPARE.read_text(encoding="utf-8"),
        "customize.sh": whole.customize,
        "packages": "\n".join(recipe.packages) + "\n",
        "sources.list": "\n".join(archives(recipe)) + "\n",
    }
    return {"files.tar": pack(whole.files), **{name: text.encode() for name, text in texts.items()}}
