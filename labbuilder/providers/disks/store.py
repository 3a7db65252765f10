"""The disk that virtual machines are cloned from: built from the lab's own recipe, or Debian's, prepared by it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from labbuilder.host import progress
from labbuilder.host.store import remove_tree
from labbuilder.model.lab import ImageRecipe
from labbuilder.providers.disks import built, cloud
from labbuilder.providers.disks.recipe import disk_recipe
from labbuilder.providers.images import ImageCache

DISK = "disk.vdi"
ToVdi = Callable[[Path, Path], None]
"""Writes a raw disk (first) as a dynamic VDI (second, which does not exist yet)."""
_NEEDED_BYTES = 4_000_000_000
_PACKAGES_EXPECTED = 215  # for the bar alone
_CLOUD_PACKAGES_EXPECTED = 60


def disk_name(recipe: ImageRecipe) -> str:
    """The name of the recipe's disk in the cache."""
    key = f"built-{built.BUILDER}-{disk_recipe(recipe).digest}"
    return f"disk-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def cloud_disk_name(recipe: ImageRecipe, images: str) -> str:
    """The name of the prepared cloud image in the cache."""
    script = cloud.PREPARE.read_text(encoding="utf-8")
    key = f"cloud-{cloud.PREPARER}-{disk_recipe(recipe).digest}-{images}-{script}"
    return f"disk-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def ensure_disk(cache: ImageCache, recipe: ImageRecipe, to_vdi: ToVdi) -> Path:
    """Build the recipe's disk unless it is there. It is read-only for who uses it: clone it.

    Raises:
        HostError: No room, no permission, or a tool is missing.
        CommandError: A tool failed; its last lines are in the details.
    """

    def make(folder: Path, step: progress.Step) -> None:
        raw = folder / "disk.raw"
        built.build_raw(disk_recipe(recipe), raw, lambda n: step.advance(min(n / _PACKAGES_EXPECTED / 2 * 0.8, 0.8)))
        step.advance(0.95)
        to_vdi(raw, folder / DISK)
        raw.unlink()

    return cache.ensure(disk_name(recipe), "disk", recipe.suite, _NEEDED_BYTES, make) / DISK


def ensure_cloud_disk(cache: ImageCache, recipe: ImageRecipe, images: str, to_vdi: ToVdi, boot: cloud.Boot) -> Path:
    """Download and prepare Debian's cloud image unless it is there. What was downloaded outlives a failure.

    Raises:
        HostError: No network, no room, another sum than the published one.
        MachineError: It did not boot, or could not be prepared.
    """
    image, name = cloud.cloud_image(images, recipe.suite), cloud_disk_name(recipe, images)

    def make(folder: Path, step: progress.Step) -> None:
        raw, kept = folder / "disk.raw", cache.downloads(name)
        archive = cloud.fetch(image, kept, lambda fraction: step.advance(fraction * 0.4, f"download {image.name}"))
        step.advance(0.4, "unpack")
        cloud.unpack(archive, raw)
        to_vdi(raw, folder / DISK)
        raw.unlink()
        step.advance(0.5, "prepare")
        cloud.prepare(
            recipe,
            folder / DISK,
            boot,
            lambda n: step.advance(0.5 + min(n / _CLOUD_PACKAGES_EXPECTED / 2 * 0.5, 0.49), "prepare"),
        )
        remove_tree(kept)

    return cache.ensure(name, "disk", recipe.suite, _NEEDED_BYTES, make) / DISK
