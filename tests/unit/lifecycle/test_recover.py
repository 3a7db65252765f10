"""What a killed command left is undone or gone on with, as one table says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from fake.world import World

import labbuilder
from labbuilder import lab as face
from labbuilder.errors import MachineError
from labbuilder.lifecycle.power import Word
from labbuilder.lifecycle.recover import RECOVERIES, Recovery


def test_every_effect_that_is_written_down_has_a_row() -> None:
    begun = re.compile(r'\.effect\(\s*"([\w-]+)"|Record\(\s*"([\w-]+)"|_EFFECT = "([\w-]+)"')
    package = Path(labbuilder.__file__).parent
    found = {
        next(filter(None, match.groups()))
        for path in package.rglob("*.py")
        for match in begun.finditer(path.read_text())
    }
    assert {"lab", "spec", "create", "restore", "snapshot", "fault", "down"} <= found
    words = {*get_args(Word), "plug", "unplug"}
    assert found | words <= {*face._RECOVERIES, "down"}  # a `down` that was cut off comes before all phases


def test_a_restore_that_was_killed_is_gone_on_with_before_a_machine_is_switched_on(world: World) -> None:
    lab = world.lab().up()
    (world.disk("client1") / "before").touch()
    lab.save("good")
    (world.disk("client1") / "after").touch()
    world.begin("restore", name="good")
    world.calls.clear()
    world.lab().up()
    assert [call for call in world.calls if call[0] in ("restore_snapshot", "start")] == [
        ("restore_snapshot", "good"),
        *(("start", machine) for machine in ("server1", "server2", "client1")),
    ]
    assert sorted(path.name for path in world.disk("client1").iterdir()) == ["before"]
    world.calls.clear()
    world.lab().up()
    assert world.told("restore_snapshot") == []  # once


def test_who_was_on_the_way_to_two_snapshots_comes_to_the_last(world: World) -> None:
    lab = world.lab().up()
    for name in ("one", "two"):
        (world.disk("client1") / name).touch()
        lab.save(name)
    for name in ("two", "one"):
        world.begin("restore", name=name)
    lab.up()
    assert [path.name for path in world.disk("client1").iterdir()] == ["one"]
    assert world.told("restore_snapshot") == [("restore_snapshot", "one")]


def test_a_snapshot_that_is_not_whole_is_none(world: World) -> None:
    lab = world.lab().up()
    half = world.home.lab("aula").snapshots / "half" / "server1"
    half.mkdir(parents=True)
    world.begin("snapshot", name="half")
    lab.up()
    assert not half.parent.exists()


def test_a_snapshot_that_is_taken_again_outlives_its_cut_off_deletion(world: World) -> None:
    lab = world.lab().up()
    lab.save("good")
    world.begin("snapshot-delete", name="good")
    (world.home.lab("aula").snapshots / "good/lab.yaml").unlink()
    lab.save("good")
    lab.up()
    assert [snapshot.name for snapshot in lab.snapshots()] == ["good"]


def test_a_machine_whose_removal_was_cut_off_is_made_anew(world: World) -> None:
    lab = world.lab().up()
    (world.disk("client1") / "old").touch()
    world.begin("remove", "client1")
    world.calls.clear()
    lab.up()
    assert world.told("destroy", "create", "start") == [
        ("destroy", "client1"),
        ("create", "client1"),
        ("start", "client1"),
    ]
    assert list(world.disk("client1").iterdir()) == []


def test_a_fault_is_mended_in_machines_that_run_and_stays_open_until_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = world.lab().up()
    lab.kill("server1")
    world.begin("fault", name="power-cut")
    world.begin("fault", name="cut-link")
    mended: list[list[str]] = []

    def mend(session: object, records: object) -> None:
        assert set(world.states().values()) == {"running"}
        mended.append([record.data["name"] for record in records])  # type: ignore[attr-defined]
        if len(mended) == 1:
            raise MachineError("not yet")

    monkeypatch.setattr(face, "_RECOVERIES", {**RECOVERIES, "fault": Recovery(mend, running=True)})
    with pytest.raises(MachineError):
        lab.up()
    assert [record.effect for record in world.journal().unfinished()][-2:] == ["fault", "fault"]
    lab.up()
    assert mended == [["power-cut", "cut-link"]] * 2
    assert world.journal().unfinished() == ()


def test_what_is_paused_or_unplugged_is_let_go_on_and_plugged(world: World) -> None:
    lab = world.lab().up()
    lab.pause("server2")
    lab.unplug("server1", "bridged")
    lab.up()
    assert lab.outcome is not None
    assert lab.outcome.started == ("server1", "server2")
    assert set(world.states().values()) == {"running"}
    assert not any(machine.cut_links for machine in lab.status())
