"""Machines and cables by hand, from Python; each deed is written down."""

from __future__ import annotations

import pytest
from fake.world import World

from labbuilder.errors import MachineError, SpecError
from labbuilder.lab import Lab


@pytest.fixture
def lab(world: World) -> Lab:
    lab = world.lab().up()
    world.calls.clear()
    return lab


def test_the_words_reach_the_machines_that_are_named(world: World, lab: Lab) -> None:
    lab.stop("server1")
    lab.start("server1")
    lab.kill("client1")
    lab.start("client1")
    lab.pause("server2")
    lab.resume("server2")
    lab.reboot("server2")
    assert world.calls == [
        ("stop", "server1"),
        ("start", "server1"),
        ("wait_ready", "server1"),
        ("kill", "client1"),
        ("start", "client1"),
        ("wait_ready", "client1"),
        ("pause", "server2"),
        ("resume", "server2"),
        ("reboot", "server2"),
    ]
    assert world.journal().unfinished() == ()


def test_no_name_means_all(world: World, lab: Lab) -> None:
    lab.kill()
    assert set(world.states().values()) == {"stopped"}


def test_an_unknown_machine_is_told_before_another_is_touched(world: World, lab: Lab) -> None:
    with pytest.raises(SpecError, match="no machine 'nope'"):
        lab.stop("server1", "nope")
    with pytest.raises(SpecError, match="no machine 'nope'"):
        lab.unplug("nope")
    with pytest.raises(SpecError, match="client1 has no card on the bridged network"):
        lab.unplug("client1", "bridged")
    assert world.calls == []


@pytest.mark.parametrize(("before", "words"), [("pause", ("start", "reboot")), ("kill", ("pause", "resume", "reboot"))])
def test_a_state_that_knows_no_such_word_is_told(world: World, lab: Lab, before: str, words: tuple[str, ...]) -> None:
    getattr(lab, before)("client1")
    world.calls.clear()
    for word in words:
        with pytest.raises(MachineError, match=r"client1 is (paused|stopped)") as told:
            getattr(lab, word)("server1", "client1")
        assert "labbuilder up" in (told.value.resolution or "")
    assert world.calls == []


def test_a_word_that_fails_stays_in_the_journal(world: World, lab: Lab) -> None:
    world.fails["stop", "server1"] = MachineError("no")
    with pytest.raises(MachineError):
        lab.stop("server1")
    assert [(r.effect, r.machine, r.state) for r in world.journal().unfinished()] == [("stop", "server1", "failed")]


def test_cables_are_pulled_and_plugged(lab: Lab) -> None:
    lab.unplug("server1", "bridged")
    lab.unplug("server1")
    assert {m.name: m.cut_links for m in lab.status() if m.cut_links} == {"server1": ("bridged", "internal")}
    lab.plug("server1")
    lab.plug("server1", "bridged")
    assert not any(machine.cut_links for machine in lab.status())
