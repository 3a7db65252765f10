"""What machines start from, each built once for all labs: ``HOME/images/NAME/``, with what it is in image.json."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from labbuilder.errors import HostError
from labbuilder.host import progress
from labbuilder.host.store import Home, remove_tree, unwritable
from labbuilder.providers.base import Finding

_ABOUT = "image.json"  # written last: it says that the image is whole


@dataclass(frozen=True)
class ImageInfo:
    """An image in the cache.

    Attributes:
        name: By the hash of its recipe.
        kind: "tree" for containers, "disk" for virtual machines.
    """

    name: str
    kind: str
    suite: str
    built_at: str
    size_bytes: int


class ImageCache:
    """The images of one home."""

    def __init__(self, home: Home) -> None:
        self.folder = home.images

    def path(self, name: str) -> Path:
        """The image's folder, whether it is built or not."""
        return self.folder / name

    def downloads(self, name: str) -> Path:
        """Where what is downloaded for the image lies until it is made; it outlives a failure."""
        return self.folder / f".{name}.download"

    def part(self, name: str) -> Path:
        """Where the image lies while it is made."""
        return self.folder / f".{name}.part"

    def name_of_part(self, inside: Path) -> str:
        """The name of the image whose `part` the path lies in."""
        return inside.relative_to(self.folder).parts[0].removeprefix(".").removesuffix(".part")

    @contextmanager
    def unused(self, name: str) -> Iterator[bool]:
        """Whether nobody makes the image now; nobody begins to while the block runs."""
        lock = FileLock(self._lock(name))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def _lock(self, name: str) -> Path:
        return self.folder / f".{name}.lock"

    def ensure(
        self, name: str, kind: str, suite: str, needed_bytes: int, make: Callable[[Path, progress.Step], None]
    ) -> Path:
        """Make the image unless it is there; who comes second waits for who makes it.

        Args:
            name: Its folder's name.
            kind: What it is.
            suite: The Debian release in it.
            needed_bytes: So much room is wanted before it is begun.
            make: Fills an empty folder.

        Raises:
            HostError: No room or no permission.
        """
        target = self.path(name)
        if target.exists():
            return target
        try:
            self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            with FileLock(self._lock(name)):
                if not target.exists():
                    self._require(needed_bytes)
                    self._make(target, {"kind": kind, "suite": suite}, make)
        except OSError as error:
            raise unwritable(self.folder, error) from error
        return target

    def _require(self, needed_bytes: int) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < needed_bytes:
            seen = f"{free // 1_000_000} MB are free, {needed_bytes // 1_000_000} MB are needed"
            raise no_room(self.folder, seen)

    def _make(self, target: Path, about: dict[str, str], make: Callable[[Path, progress.Step], None]) -> None:
        part = self.part(target.name)
        remove_tree(part)
        with progress.step("image") as step:
            try:
                part.mkdir(mode=0o755)
                step.advance(0.0, "is built once, for all labs")
                make(part, step)
                about["built_at"] = time.strftime("%Y-%m-%d %H:%M:%S")
                (part / _ABOUT).write_text(json.dumps(about, indent=2), encoding="utf-8")
                part.rename(target)
            except BaseException:
                remove_tree(part)
                raise
            step.detail = target.name

    def all(self) -> tuple[ImageInfo, ...]:
        """What is built, oldest first."""
        found = []
        for about in self.folder.glob(f"[!.]*/{_ABOUT}"):
            size = sum(f.lstat().st_blocks * 512 for f in about.parent.rglob("*"))
            facts = {"kind": "tree", **json.loads(about.read_text(encoding="utf-8"))}
            found.append(ImageInfo(about.parent.name, facts["kind"], facts["suite"], facts["built_at"], size))
        return tuple(sorted(found, key=lambda image: image.built_at))

    def prune(self, used: frozenset[str]) -> tuple[ImageInfo, ...]:
        """Remove all images but the used ones, and what makers that were killed left; returns the images."""
        unused = tuple(image for image in self.all() if image.name not in used)
        for image in unused:
            remove_tree(self.path(image.name))
        for left in (*self.folder.glob(".*.download"), *self.folder.glob(".*.part")):
            with self.unused(left.stem.removeprefix(".")) as idle:
                if idle:
                    remove_tree(left)
        return unused


def room(home: Home, needed_bytes: int) -> Finding:
    """What ``labbuilder doctor`` says of the disk that holds the home."""
    folder = next(path for path in (home.path, *home.path.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    seen = f"{free // 1_000_000} MB free in {folder}"
    return Finding("disk", free >= needed_bytes, seen, "make room, or set LABBUILDER_HOME")


def no_room(folder: Path, seen: str) -> HostError:
    """The error for an image that does not fit."""
    return HostError(
        brief=f"no room for the image in {folder}",
        details=seen,
        resolution="make room there, or set LABBUILDER_HOME to a folder with more",
    )
