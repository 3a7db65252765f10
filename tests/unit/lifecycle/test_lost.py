"""A lab whose journal does not say any more what it is known by is told so, and not made anew over what is left."""

from __future__ import annotations

import pytest
from fake.world import World

from labbuilder.errors import ResidueError

DAMAGES = {
    "deleted": (None, "is not there"),
    "emptied": ("", "has no record of it"),
    "null": ("null\n", "lines that are no records: 1"),
    "torn": ('{"effect": "lab", "st\n{"effect": "spec", "state": "done"}\n', "lines that are no records: 1"),
    "without data": ('{"effect": "lab", "state": "begun"}\n', "has no record of it"),
    "without a mark": ('{"effect": "lab", "state": "begun", "data": {"provider": "nspawn"}}\n', "has no record of it"),
    "no text": ("\x00\x01\n", "lines that are no records: 1"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_it_is_told_and_nothing_is_made_over_it(world: World, damage: str) -> None:
    lab, (text, told) = world.lab().up(), DAMAGES[damage]
    lab.close()
    journal = world.home.lab("aula").journal
    journal.unlink() if text is None else journal.write_text(text)
    world.calls.clear()
    for ask in (lab.up, lab.status, lab.stop, lab.snapshots):
        with pytest.raises(ResidueError, match="the lab aula has lost the record") as error:
            ask()
        assert told in (error.value.details or "")
        assert "labbuilder down --lab aula" in (error.value.resolution or "")
    assert world.calls == []
    lab.down()
    assert not world.home.lab("aula").path.exists()


def test_an_empty_folder_and_a_torn_first_line_are_an_up_that_was_killed_before_it_made_anything(world: World) -> None:
    folder = world.home.lab("aula").path
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").write_text('{"effect": "la')
    assert world.lab().up().status()
