"""Root trees that all machines share: built once, given to the mapped root, kept by the hash of their recipe."""

from __future__ import annotations

import json
import os
import shutil
import stat
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from labbuilder import progress
from labbuilder.plan.model import ImageRecipe
from labbuilder.providers.debian import build_tree, no_room
from labbuilder.providers.nspawn.ids import UID_SHIFT
from labbuilder.store import Home, remove_tree, unwritable

NEEDED_BYTES = 700_000_000  # 310 MB of tree and the packages beside it while they are unpacked; measured
_PACKAGES_EXPECTED = 195  # for the bar alone: as many as the recipe's packages brought when it was measured
_CAPABILITY = "security.capability"
_VFS_CAP_REVISION_3 = 0x0300_0000  # include/uapi/linux/capability.h


@dataclass(frozen=True)
class ImageInfo:
    """An image in the cache."""

    digest: str
    suite: str
    built_at: str
    size_bytes: int


class ImageStore:
    """The images below ``HOME/images``."""

    def __init__(self, home: Home) -> None:
        self.folder = home.images

    def path(self, recipe: ImageRecipe) -> Path:
        """The folder of the recipe's image, whether it is built or not."""
        return self.folder / recipe.digest

    def ensure(self, recipe: ImageRecipe) -> Path:
        """Build the image unless it is there; who comes second waits for who builds.

        Raises:
            HostError: No room or no permission.
            CommandError: mmdebstrap failed; its last lines are in the details.
        """
        target = self.path(recipe)
        if target.exists():
            return target
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / f".{recipe.digest}.lock"):
                if not target.exists():
                    self._build(recipe, target)
        except OSError as error:
            raise unwritable(self.folder, error) from error
        return target

    def _build(self, recipe: ImageRecipe, target: Path) -> None:
        part = target.with_name(f".{recipe.digest}.part")
        remove_tree(part)
        free = shutil.disk_usage(self.folder).free
        if free < NEEDED_BYTES:
            seen = f"{free // 1_000_000} MB are free, {NEEDED_BYTES // 1_000_000} MB are needed"
            raise no_room(self.folder, seen)
        with progress.step("image") as step:
            try:
                part.mkdir()
                build_tree(recipe, part / "root", lambda done: step.advance(min(done / _PACKAGES_EXPECTED / 2, 0.98)))
                shift_ids(part / "root")
                about = {"suite": recipe.suite, "built_at": time.strftime("%Y-%m-%d %H:%M:%S")}
                about["packages"] = " ".join(recipe.packages)
                (part / "image.json").write_text(json.dumps(about, indent=2), encoding="utf-8")
                part.rename(target)
            except BaseException:
                remove_tree(part)
                raise
            step.detail = recipe.digest

    def all(self) -> tuple[ImageInfo, ...]:
        """What is built, oldest first."""
        found = []
        for about in self.folder.glob("*/image.json"):
            facts = json.loads(about.read_text(encoding="utf-8"))
            size = sum(f.lstat().st_blocks * 512 for f in about.parent.rglob("*"))
            found.append(ImageInfo(about.parent.name, facts["suite"], facts["built_at"], size))
        return tuple(sorted(found, key=lambda image: image.built_at))

    def prune(self, used: frozenset[str]) -> tuple[ImageInfo, ...]:
        """Remove all images but the used ones; returns what was removed."""
        unused = tuple(image for image in self.all() if image.digest not in used)
        for image in unused:
            remove_tree(self.folder / image.digest)
        return unused


def shift_ids(root: Path) -> None:
    """Give every file of the tree to the mapped root, setuid bits and file capabilities kept."""
    _shift(str(root))
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            _shift(os.path.join(folder, name))


def _shift(path: str) -> None:
    seen = os.lstat(path)
    try:
        capability = os.getxattr(path, _CAPABILITY, follow_symlinks=False)
    except OSError:
        capability = None
    os.lchown(path, seen.st_uid + UID_SHIFT, seen.st_gid + UID_SHIFT)
    if seen.st_mode & (stat.S_ISUID | stat.S_ISGID) and not stat.S_ISLNK(seen.st_mode):
        os.chmod(path, stat.S_IMODE(seen.st_mode))  # chown clears them
    if capability is not None:
        (magic,) = struct.unpack("<I", capability[:4])
        magic = magic & 0x00FF_FFFF | _VFS_CAP_REVISION_3
        os.setxattr(path, _CAPABILITY, struct.pack("<I", magic) + capability[4:20] + struct.pack("<I", UID_SHIFT))
