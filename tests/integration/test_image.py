"""Two who build one image at once, on top of what a killed build left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labbuilder.errors import SpecError
from labbuilder.host.parallel import for_each
from labbuilder.host.store import Home
from labbuilder.host.wait import wait_until
from labbuilder.model.lab import ImageRecipe
from labbuilder.providers import debian
from labbuilder.providers.images import ImageCache
from labbuilder.providers.nspawn import image
from labbuilder.providers.nspawn.ids import UID_SHIFT

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]


def test_two_builders_of_one_recipe_build_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = ImageRecipe("bookworm", None, ("netbase",), (), "true")
    builds = []

    def counted(recipe: ImageRecipe, root: Path, note: Callable[[int], None]) -> None:
        builds.append(root)
        debian.build_tree(recipe, root, note)

    monkeypatch.setattr(image, "build_tree", counted)
    store = ImageCache(Home(tmp_path))
    killed = store.folder / f".{recipe.digest}.part" / "root/half"
    killed.mkdir(parents=True)
    first, second = for_each(range(2), lambda _: image.ensure_tree(ImageCache(Home(tmp_path)), recipe))
    assert first == second == store.path(recipe.digest)
    assert len(builds) == 1
    assert not killed.exists()
    assert not (first / "root/half").exists()
    assert (first / "root/etc/protocols").stat().st_uid == UID_SHIFT
    assert [info.name for info in store.all()] == [recipe.digest]
    assert store.prune(frozenset({recipe.digest})) == ()
    assert [info.name for info in store.prune(frozenset())] == [recipe.digest]
    assert store.all() == ()


def test_a_package_that_debian_has_not_is_told_before_anything_is_unpacked(tmp_path: Path) -> None:
    unpacked: list[int] = []
    with pytest.raises(SpecError, match="bookworm has no package tracerout, nettbase"):
        debian.build_tree(
            ImageRecipe("bookworm", None, ("netbase", "tracerout", "nettbase"), (), "true"),
            tmp_path / "root",
            unpacked.append,
        )
    assert {*unpacked} == {0}


def test_a_build_that_was_killed_leaves_no_process_and_no_mount(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "labbuilder", "image", "build"]
    building = subprocess.Popen(words, env=os.environ | {"LABBUILDER_HOME": str(tmp_path)}, cwd=tmp_path)
    try:
        wait_until(
            "packages are unpacked",
            lambda: any(tmp_path.glob("images/.*.part/root/var/lib/dpkg/info/iproute2.list")),
            within_s=300,  # beside other work
            every_s=0.1,
        )
    finally:
        building.kill()
        building.wait()

    def left() -> list[str]:
        return [p.name for p in Path("/proc").glob("[0-9]*") if str(tmp_path) in _command(p)]

    wait_until("nobody builds on", lambda: not left(), within_s=30, every_s=0.1)
    assert str(tmp_path) not in Path("/proc/mounts").read_text(encoding="utf-8")


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has just ended
        return ""
