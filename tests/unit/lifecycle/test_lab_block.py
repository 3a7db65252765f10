"""`with Lab(...)`: what the block has made goes with it; what was there before runs on."""

from __future__ import annotations

import pytest
from fake.world import World

from labbuilder.errors import MachineError, SpecError


def test_what_the_block_made_is_gone_after_it(world: World) -> None:
    with world.lab():
        assert world.states()
    assert not world.home.lab("aula").path.exists()


def test_a_lab_of_the_same_spec_that_was_up_before_runs_on(world: World) -> None:
    world.lab().up()
    with world.lab() as lab:
        assert lab.status()
    assert set(world.states().values()) == {"running"}


def test_a_lab_that_this_object_brought_up_before_goes(world: World) -> None:
    with world.lab().up().up():
        pass
    assert not world.home.lab("aula").path.exists()


def test_after_a_down_it_is_somebody_elses_again(world: World) -> None:
    lab = world.lab().up()
    lab.down()
    world.lab().up()
    with lab:
        pass
    assert world.states()


@pytest.mark.parametrize("there", [True, False])
def test_a_block_that_does_not_begin_takes_down_what_it_made_alone(world: World, *, there: bool) -> None:
    if there:
        world.lab().up().kill("server1")
    world.fails["start", "server1"] = MachineError("no")
    with pytest.raises(MachineError), world.lab():
        raise AssertionError("it has begun")
    assert world.home.lab("aula").path.exists() is there


def test_a_block_that_is_refused_touches_nothing(world: World) -> None:
    world.lab().up()
    with pytest.raises(SpecError), world.lab().add_client():
        raise AssertionError("it has begun")
    assert set(world.states().values()) == {"running"}
