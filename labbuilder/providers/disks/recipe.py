"""What a virtual machine's disk has beyond the tree that a container boots from."""

from __future__ import annotations

from dataclasses import replace

from labbuilder.host.assets import IMAGE_FILES
from labbuilder.model.lab import ImageRecipe
from labbuilder.model.step import RenderedFile

KERNEL = ("linux-image-amd64",)  # not the cloud kernel: it has no driver for AHCI, VirtualBox's default controller
_BOOT = ("hostname", "initramfs-tools", "zstd")  # without zstd the initrd is packed by gzip: larger, slower to build
_FILES = (
    ("lab-seed.service", "/etc/systemd/system/lab-seed.service", 0o644),
    ("seed", "/usr/local/lib/labbuilder/seed", 0o755),
    ("management.conf", "/etc/systemd/system/lab-ssh.socket.d/management.conf", 0o644),
    ("networkd.conf", "/etc/systemd/networkd.conf.d/labbuilder.conf", 0o644),
)


def disk_recipe(recipe: ImageRecipe) -> ImageRecipe:
    """The recipe with a kernel, our seed service and the management NIC's SSH."""
    folder = IMAGE_FILES / "disk"
    files = tuple(RenderedFile(path, (folder / name).read_text(encoding="utf-8"), mode) for name, path, mode in _FILES)
    return replace(
        recipe,
        packages=(*recipe.packages, *KERNEL, *_BOOT),
        files=(*recipe.files, *files),
        customize=recipe.customize + (folder / "customize.sh").read_text(encoding="utf-8"),
    )
