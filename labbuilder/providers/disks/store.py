"""The disk that virtual machines are cloned from, built from the lab's own recipe."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from labbuilder import progress
from labbuilder.plan.model import ImageRecipe
from labbuilder.providers.disks import built
from labbuilder.providers.disks.recipe import disk_recipe
from labbuilder.providers.images import ImageCache

DISK = "disk.vdi"
ToVdi = Callable[[Path, Path], None]
"""Writes a raw disk (first) as a dynamic VDI (second, which does not exist yet)."""
_NEEDED_BYTES = 4_000_000_000
_PACKAGES_EXPECTED = 215  # for the bar alone


def disk_name(recipe: ImageRecipe) -> str:
    """The name of the recipe's disk in the cache."""
    key = f"built-{built.BUILDER}-{disk_recipe(recipe).digest}"
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
