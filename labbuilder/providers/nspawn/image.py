"""The root tree that all containers share, given to the mapped root."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

from labbuilder.host import progress
from labbuilder.model.lab import ImageRecipe
from labbuilder.providers.debian import build_tree
from labbuilder.providers.images import ImageCache
from labbuilder.providers.nspawn.ids import UID_SHIFT

NEEDED_BYTES = 700_000_000  # 310 MB of tree and the packages beside it while they are unpacked; measured
_PACKAGES_EXPECTED = 195  # for the bar alone: as many as the recipe's packages brought when it was measured
_CAPABILITY = "security.capability"
_VFS_CAP_REVISION_3 = 0x0300_0000  # include/uapi/linux/capability.h


def ensure_tree(cache: ImageCache, recipe: ImageRecipe) -> Path:
    """Build the recipe's tree unless it is there; its folder.

    Raises:
        HostError: No room or no permission.
        CommandError: mmdebstrap failed; its last lines are in the details.
    """

    def make(folder: Path, step: progress.Step) -> None:
        build_tree(recipe, folder / "root", lambda done: step.advance(min(done / _PACKAGES_EXPECTED / 2, 0.98)))
        shift_ids(folder / "root")

    return cache.ensure(recipe.digest, "tree", recipe.suite, NEEDED_BYTES, make)


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
