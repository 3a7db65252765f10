"""`up` goes through its phases in their order, makes its plan once, and goes on from wherever a kill left it."""

from __future__ import annotations

from typing import Any

import pytest
from fake.world import World

from labbuilder.errors import HostError, MachineError, SpecError
from labbuilder.host.journal import Journal, Record
from labbuilder.lifecycle.identity import lab_identity
from labbuilder.plan import Plan

MACHINES = ("server1", "server2", "client1")
RUNNING = dict.fromkeys(MACHINES, "running")
BRIDGE: dict[str, Any] = {"provider": "virtualbox"}


def test_a_new_lab_is_made_phase_by_phase(world: World) -> None:
    lab = world.lab().up()
    words = [call[0] for call in world.calls]
    assert words[:2] == ["preflight", "ensure_image"]
    assert sorted(words[2:6]) == ["create", "create", "create", "ensure_networks"]
    assert world.calls[6:9] == [("start", machine) for machine in MACHINES]
    assert world.states() == RUNNING
    assert world.configured == list(MACHINES)
    assert lab.outcome is not None
    assert lab.outcome.started == MACHINES
    assert world.journal().unfinished() == ()


def test_a_lab_that_is_up_stays_as_it_is(world: World) -> None:
    world.lab().up()
    written = len(world.journal().records())
    world.calls.clear()
    lab = world.lab().up()
    assert lab.outcome is not None
    assert lab.outcome.unchanged
    assert world.told("preflight", "create", "start", "destroy", "kill", "stop") == []
    assert len(world.journal().records()) - written == 4  # the networks were looked at, and the machines' services


@pytest.mark.parametrize("runs", [1, 2])
def test_the_plan_is_built_once_in_an_up(world: World, monkeypatch: pytest.MonkeyPatch, runs: int) -> None:
    for _ in range(runs - 1):
        world.lab().up()
    built = []

    def counted(*parts: Any, **named: Any) -> Plan:
        built.append(parts)
        return Plan(*parts, **named)

    monkeypatch.setattr("labbuilder.plan.build.Plan", counted)
    world.lab().up()
    assert len(built) == 1


def test_another_spec_is_refused_before_anything_is_touched(world: World) -> None:
    world.lab().up()
    world.calls.clear()
    with pytest.raises(SpecError, match="made from another spec"):
        world.lab().add_client().up()
    assert world.calls == []


def test_only_what_can_not_become_another_machine_goes(world: World) -> None:
    world.lab().add_client().up()
    (world.disk("server1") / "note").touch()
    lab = world.lab().up(reconfigure=True)
    assert lab.outcome is not None
    assert lab.outcome.removed == ("client2",)
    assert world.states() == RUNNING
    assert (world.disk("server1") / "note").exists()


def test_a_lab_is_not_touched_where_its_next_addresses_are_taken(world: World) -> None:
    """Both checks: before a machine is removed for it, and once more when the lab is written down."""
    for name, address in (("one", "172.26.0.11"), ("two", "172.26.0.21")):
        lab = world.lab(name).set(servers=[{"name": "server1", "bridged": address}], incus={"bridged": "br0"})
        world.home.lab(name).path.mkdir(parents=True)
        world.home.lab(name).spec.write_text(lab.set(provider="incus").to_yaml())
        Journal(world.home.lab(name).journal).append(Record("lab", "begun", data={"provider": "incus", "mark": "1"}))
    asked = world.lab("two").set(servers=["server1"], incus={"bridged": "br0"}, provider="incus")
    with pytest.raises(SpecError, match=r"172\.26\.0\.11 is taken by the lab one"):
        asked.up(reconfigure=True)
    assert world.calls == []


def test_what_the_host_can_not_leaves_nothing(world: World) -> None:
    world.fails["preflight", "aula"] = HostError("no room")
    with pytest.raises(HostError):
        world.lab().up()
    assert not world.home.lab("aula").path.exists()


def test_an_image_that_can_not_be_built_leaves_a_new_lab_nowhere_and_one_that_is_there_as_it_is(world: World) -> None:
    lab, failure = world.lab(), SpecError("Debian bookworm has no package tracerout")
    world.fails["ensure_image", lab.plan().image.digest] = failure
    with pytest.raises(SpecError):
        lab.up()
    assert world.home.lab_names() == ()
    assert not world.home.lab("aula").path.exists()
    world.fails.clear()
    lab.up()
    for image in world.home.labs.glob("*.fake-image"):
        image.unlink()
    world.fails["ensure_image", lab.plan().image.digest] = failure
    with pytest.raises(SpecError):
        lab.up()
    assert world.states() == RUNNING


def test_a_machine_that_can_not_be_made_is_gone_on_with(world: World) -> None:
    world.fails["create", "server2"] = MachineError("no")
    with pytest.raises(MachineError):
        world.lab().up()
    assert world.told("start") == []
    assert [record.effect for record in world.journal().unfinished()] == ["lab", "create"]
    world.fails.clear()
    world.lab().up()
    assert world.states() == RUNNING
    assert world.journal().unfinished() == ()


class Killed(BaseException):
    """What comes after it was never done."""


def killed_after(monkeypatch: pytest.MonkeyPatch, records: int) -> None:
    """From here on, and until the monkey goes, everybody is dead who has written so many records."""
    append, left = Journal.append, [records]

    def dying(journal: Journal, record: Record) -> None:
        if left[0] == 0:
            raise Killed
        append(journal, record)
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    monkeypatch.setattr(Journal, "append", dying)


def test_killed_after_any_record_up_goes_on_and_down_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for records in range(1, 100):
        with monkeypatch.context() as patched:
            killed_after(patched, records)
            try:
                world.lab().up()
            except Killed:
                pass
            else:
                break  # so many records it does not write
        if records % 2:
            world.lab().up()
            assert world.states() == RUNNING
            assert world.journal().unfinished() == ()
        assert world.lab().down()
        assert not world.home.lab("aula").path.exists()
    assert records > 15


@pytest.mark.parametrize("again", [True, False])
def test_killed_while_it_changes_a_lab_up_ends_in_the_one_or_the_other(
    world: World, monkeypatch: pytest.MonkeyPatch, *, again: bool
) -> None:
    for records in range(1, 100):
        world.lab().add_client().up()
        (world.disk("client2") / "old").touch()
        with monkeypatch.context() as patched:
            killed_after(patched, records)
            try:
                world.lab().up(reconfigure=True)
            except Killed:
                pass
            else:
                break
        if again or "client2" not in world.home.lab("aula").spec.read_text():
            world.lab().up(reconfigure=True)
            assert world.states() == RUNNING
        else:
            world.lab().add_client().up()
            assert world.states() == {**RUNNING, "client2": "running"}
            assert not (world.disk("client2") / "old").exists()  # half a disk is no machine's
        assert world.journal().unfinished() == ()
        world.lab().down()
    assert records > 4


def test_the_identity_outlives_the_journals_first_line(world: World) -> None:
    world.lab().up()
    lab = world.home.lab("aula")
    known = lab_identity(lab)
    lines = lab.journal.read_text().splitlines(keepends=True)
    lab.journal.write_text("".join(lines[1:]))
    assert known is not None
    assert lab_identity(lab) == known
