"""`down` looks whether all is gone, and can be told again."""

from __future__ import annotations

import pytest
from fake import provider as fakes
from fake.world import World

from labbuilder.errors import MachineError, ResidueError
from labbuilder.lifecycle.down import begun, take_down


def test_nothing_is_left_and_a_second_time_there_was_nothing(world: World) -> None:
    lab = world.lab().up()
    assert lab.down() is True
    assert not world.home.lab("aula").path.exists()
    assert lab.down() is False


def test_what_is_left_is_told_and_the_journal_stays_until_it_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = world.lab().up()
    with monkeypatch.context() as patched:
        patched.setattr(fakes.FakeProvider, "residue", lambda _: ["process 7"])
        with pytest.raises(ResidueError, match="1 things of the lab aula") as told:
            lab.down()
        assert told.value.details == "process 7"
    assert world.home.lab("aula").journal.exists()
    assert lab.down()


def test_a_spec_that_is_refused_by_now_holds_no_down_up(world: World) -> None:
    world.lab().up()
    world.home.lab("aula").spec.write_text("no: [spec\n")
    assert take_down(world.home, "aula")


def test_what_a_cut_off_up_has_made_is_told(world: World) -> None:
    assert begun(world.home, "aula") == ()
    world.fails["start", "server2"] = MachineError("no")
    with pytest.raises(MachineError):
        world.lab().up()
    assert begun(world.home, "aula") == (
        "client1 is stopped",
        "server1 is running",
        "server2 is stopped",
        "not ended: start server2",
    )
