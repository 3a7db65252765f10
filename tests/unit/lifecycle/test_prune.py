"""`image prune` keeps what a lab starts from, whatever has become of the lab's spec."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labbuilder.host.journal import Journal, Record
from labbuilder.host.store import Home, LabDir
from labbuilder.lifecycle import image
from labbuilder.lifecycle.image import prune_images
from labbuilder.providers.traces import Trace


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """With two images."""
    home = Home(tmp_path)
    for name in ("used", "unused"):
        (home.images / name).mkdir(parents=True)
        about = {"kind": "tree", "suite": "bookworm", "built_at": "2026-01-01 00:00:00"}
        (home.images / name / "image.json").write_text(json.dumps(about))
    return home


def broken_lab(home: Home, data: dict[str, str]) -> LabDir:
    lab = home.lab("broken")
    lab.make()
    Journal(lab.journal).append(Record("lab", "begun", data={"provider": "nspawn", "mark": "b0b0b0b0", **data}))
    lab.spec.write_text("servers: [")
    return lab


@pytest.mark.parametrize("lost", [False, True])
def test_a_lab_whose_spec_is_lost_or_broken_keeps_its_image_and_holds_up_no_other(home: Home, *, lost: bool) -> None:
    lab = broken_lab(home, {"image": "used"})
    if lost:
        lab.spec.unlink()
    assert prune_images(home).removed == ("unused",)
    assert (home.images / "used").exists()


def test_a_lab_that_runs_keeps_its_image_without_spec_and_journal(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = broken_lab(home, {})
    lab.journal.unlink()
    runs = Trace("nspawn", "b0b0b0b0", lab.path, gone=False, things=(), image="used")
    monkeypatch.setattr(image, "traces", lambda: (runs,))
    assert prune_images(home).removed == ("unused",)


def test_a_lab_of_which_nothing_tells_keeps_all_and_is_named(home: Home) -> None:
    lab = broken_lab(home, {})
    found = prune_images(home)
    assert found.removed == ()
    assert str(lab.spec) in found.left[0]
    assert sorted(path.name for path in home.images.iterdir()) == ["unused", "used"]
