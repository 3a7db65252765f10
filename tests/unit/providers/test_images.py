"""The cache of images: one maker at a time, whole or not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from labbuilder.errors import HostError
from labbuilder.host import progress
from labbuilder.host.parallel import for_each
from labbuilder.host.store import Home
from labbuilder.host.wait import wait_until
from labbuilder.providers.images import ImageCache

MAKER = """
import sys, time
from pathlib import Path
from labbuilder.providers.images import ImageCache
from labbuilder.host.store import Home

def make(folder, step):
    (folder / "half").touch()
    time.sleep(600)

ImageCache(Home(Path(sys.argv[1]))).ensure("one", "disk", "bookworm", 0, make)
"""


@pytest.fixture
def cache(tmp_path: Path) -> ImageCache:
    return ImageCache(Home(tmp_path))


def fill(folder: Path, step: progress.Step) -> None:
    (folder / "disk").write_text("whole")


def test_who_comes_second_waits_and_makes_nothing(cache: ImageCache) -> None:
    made = []

    def make(folder: Path, step: progress.Step) -> None:
        made.append(folder)
        assert not Event().wait(0.2)  # the others come meanwhile
        fill(folder, step)

    found = for_each(range(8), lambda _: cache.ensure("one", "disk", "bookworm", 0, make))
    assert len(made) == 1
    assert {(path / "disk").read_text() for path in found} == {"whole"}


def test_who_waited_for_a_maker_that_was_killed_makes_it_afresh(cache: ImageCache, tmp_path: Path) -> None:
    maker = subprocess.Popen([sys.executable, "-c", MAKER, tmp_path])
    wait_until("it is being made", (cache.part("one") / "half").exists, within_s=30)
    with cache.unused("one") as idle:
        assert not idle
    maker.kill()
    maker.wait()
    image = cache.ensure("one", "disk", "bookworm", 0, fill)
    assert {path.name for path in image.iterdir()} == {"disk", "image.json"}


def test_a_maker_that_fails_leaves_nothing(cache: ImageCache) -> None:
    def fail(folder: Path, step: progress.Step) -> None:
        fill(folder, step)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cache.ensure("one", "disk", "bookworm", 0, fail)
    assert cache.all() == ()
    assert not cache.part("one").exists()
    assert cache.ensure("one", "disk", "bookworm", 0, fill).is_dir()


def test_no_room_is_told_before_anything_is_made(cache: ImageCache) -> None:
    with pytest.raises(HostError, match="no room for the image"):
        cache.ensure("one", "disk", "bookworm", 1 << 60, fill)
    assert not cache.path("one").exists()


def test_what_is_used_outlives_pruning(cache: ImageCache) -> None:
    for name in ("used", "unused"):
        cache.ensure(name, "disk", "bookworm", 0, fill)
    assert [image.name for image in cache.prune(frozenset({"used"}))] == ["unused"]
    assert [image.name for image in cache.all()] == ["used"]
