"""Two who build one image at once, on top of what a killed build left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from labbuilder.parallel import for_each
from labbuilder.plan.model import ImageRecipe
from labbuilder.providers import debian
from labbuilder.providers.images import ImageCache
from labbuilder.providers.nspawn import image
from labbuilder.providers.nspawn.ids import UID_SHIFT
from labbuilder.store import Home

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
