"""States of a whole lab: kept, gone back to, forgotten."""

from __future__ import annotations

import pytest
from fake.world import World

from labbuilder.errors import CommandError, MachineError, SpecError


def test_a_lab_goes_back_to_what_was_kept_and_is_on(world: World) -> None:
    lab = world.lab().up()
    lab.save("good")
    (world.disk("server1") / "later").touch()
    lab.kill("client1")
    lab.restore("good")
    assert not (world.disk("server1") / "later").exists()
    assert set(world.states().values()) == {"running"}
    assert [kept.name for kept in lab.snapshots()] == ["good"]
    with pytest.raises(SpecError, match="has a snapshot good already"):
        lab.save("good")
    lab.forget("good")
    assert lab.snapshots() == ()
    for gone in (lab.restore, lab.forget):
        with pytest.raises(SpecError, match="has no snapshot good"):
            gone("good")
    assert world.journal().unfinished() == ()


@pytest.mark.parametrize("name", ["../x", "", "A", ".hidden", "a/b"])
def test_names_that_lead_elsewhere_are_refused(world: World, name: str) -> None:
    lab = world.lab().up()
    with pytest.raises(SpecError, match="can't be a snapshot's name"):
        lab.save(name)
    with pytest.raises(SpecError, match="has no snapshot"):
        lab.forget(name)


def test_a_snapshot_that_fails_leaves_nothing(world: World) -> None:
    lab = world.lab().up()
    world.fails["save_snapshot", "full"] = CommandError("no space")
    with pytest.raises(CommandError):
        lab.save("full")
    assert lab.snapshots() == ()
    assert not (world.home.lab("aula").snapshots / "full").exists()


def test_halfway_back_only_another_way_back_is_allowed(world: World) -> None:
    lab = world.lab().up()
    for name in ("one", "two"):
        lab.save(name)
    world.begin("restore", name="one")
    for change, name in ((lab.save, "mixed"), (lab.forget, "one")):
        with pytest.raises(MachineError, match="halfway back"):
            change(name)
    lab.restore("two")
    assert world.told("restore_snapshot") == [("restore_snapshot", "two")]
    lab.forget("one")


def test_a_snapshot_of_another_spec_is_not_gone_back_to(world: World) -> None:
    world.lab().up().save("small")
    lab = world.lab().add_client().up(reconfigure=True)
    with pytest.raises(SpecError, match="had another spec"):
        lab.restore("small")
