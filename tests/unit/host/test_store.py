"""A lab's folder: what counts as one, and what goes with it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from labbuilder.host.store import Home, remove_tree, write_atomic


def test_a_lab_is_one_whatever_of_it_is_left_and_other_folders_are_none(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for place in ("whole/journal.jsonl", "lost/lab.yaml", "half/machines/server1/console.log", "mine/letters.txt"):
        (home.labs / place).parent.mkdir(parents=True)
        (home.labs / place).touch()
    for place in ("begun", ".hidden", "Upper"):
        (home.labs / place).mkdir()
    assert home.lab_names() == ("begun", "half", "lost", "whole")


def test_a_lab_that_was_put_elsewhere_by_a_link_goes_with_all_that_is_its_own(tmp_path: Path) -> None:
    home, elsewhere = Home(tmp_path), tmp_path / "big disk"
    for name in ("keys", "machines"):
        (elsewhere / name).mkdir(parents=True)
    (elsewhere / "keys/user").touch()
    (elsewhere / "letters.txt").touch()
    home.labs.mkdir()
    home.lab("linked").path.symlink_to(elsewhere)
    home.lab("linked").remove()
    assert list(home.labs.iterdir()) == []
    assert [path.name for path in elsewhere.iterdir()] == ["letters.txt"]


def test_a_link_inside_leads_to_nothing_of_ours(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    remove_tree(tmp_path / "link")
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_file_has_the_mode_that_is_said(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_atomic(tmp_path / "file", "text", mode=0o644)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644
