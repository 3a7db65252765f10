"""Base disks, each made once for all labs: ``HOME/images/disk-<hash>/disk.vdi``, beside nspawn's root trees."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from labbuilder import progress
from labbuilder.plan.model import ImageRecipe
from labbuilder.providers.debian import no_room
from labbuilder.providers.disks import built
from labbuilder.providers.disks.convert import ToVdi, qemu_img
from labbuilder.providers.disks.recipe import disk_recipe
from labbuilder.store import Home, remove_tree, unwritable

DISK = "disk.vdi"
_ABOUT = "disk.json"  # not image.json: by that nspawn knows its own
_NEEDED_BYTES = 4_000_000_000
_PACKAGES_EXPECTED = 215  # for the bar alone


@dataclass(frozen=True)
class DiskInfo:
    """A base disk in the cache."""

    digest: str
    origin: str
    suite: str
    built_at: str
    size_bytes: int


class DiskStore:
    """The base disks below ``HOME/images``. A base disk is read-only for who uses it: clone it."""

    def __init__(self, home: Home) -> None:
        self.folder = home.images

    def built_path(self, recipe: ImageRecipe) -> Path:
        """Where the disk built from the lab's recipe is, whether it is there or not."""
        return self._path(f"built-{built.BUILDER}-{disk_recipe(recipe).digest}")

    def ensure_built(self, recipe: ImageRecipe, to_vdi: ToVdi = qemu_img) -> Path:
        """Build the disk of a lab's recipe unless it is there; who comes second waits for who builds.

        Raises:
            HostError: No room, no permission, or a tool is missing.
            CommandError: A tool failed; its last lines are in the details.
        """
        whole = disk_recipe(recipe)

        def make(folder: Path, step: progress.Step) -> None:
            raw = folder / "disk.raw"
            built.build_raw(whole, raw, lambda n: step.advance(min(n / _PACKAGES_EXPECTED / 2 * 0.8, 0.8)))
            step.advance(0.95, "VDI")
            to_vdi(raw, folder / DISK)
            raw.unlink()

        return self._ensure(self.built_path(recipe), "built", recipe.suite, make)

    def _path(self, key: str) -> Path:
        return self.folder / f"disk-{hashlib.sha256(key.encode()).hexdigest()[:12]}" / DISK

    def _ensure(self, disk: Path, origin: str, suite: str, make: Callable[[Path, progress.Step], None]) -> Path:
        if disk.exists():
            return disk
        target = disk.parent
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / f".{target.name}.lock"):
                if not disk.exists():
                    self._make(target, origin, suite, make)
        except OSError as error:
            raise unwritable(self.folder, error) from error
        return disk

    def _make(self, target: Path, origin: str, suite: str, make: Callable[[Path, progress.Step], None]) -> None:
        part = target.with_name(f".{target.name}.part")
        remove_tree(part)
        free = shutil.disk_usage(self.folder).free
        if free < _NEEDED_BYTES:
            raise no_room(self.folder, f"{free // 1_000_000} MB are free, {_NEEDED_BYTES // 1_000_000} MB are needed")
        with progress.step("disk") as step:
            try:
                part.mkdir()
                make(part, step)
                about = {"origin": origin, "suite": suite, "built_at": time.strftime("%Y-%m-%d %H:%M:%S")}
                (part / _ABOUT).write_text(json.dumps(about, indent=2), encoding="utf-8")
                part.rename(target)
            except BaseException:
                remove_tree(part)
                raise
            step.detail = target.name

    def all(self) -> tuple[DiskInfo, ...]:
        """What is there, oldest first."""
        found = []
        for about in self.folder.glob(f"disk-*/{_ABOUT}"):
            facts = json.loads(about.read_text(encoding="utf-8"))
            size = (about.parent / DISK).stat().st_size
            found.append(DiskInfo(about.parent.name, facts["origin"], facts["suite"], facts["built_at"], size))
        return tuple(sorted(found, key=lambda disk: disk.built_at))

    def prune(self, used: frozenset[Path]) -> tuple[DiskInfo, ...]:
        """Remove all base disks but the used ones; returns what was removed."""
        unused = tuple(disk for disk in self.all() if self.folder / disk.digest / DISK not in used)
        for disk in unused:
            remove_tree(self.folder / disk.digest)
        return unused
