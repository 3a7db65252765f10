"""`up` mends what its proof shows: what failed, then all and what the image had; told to, it makes a machine anew."""

from __future__ import annotations

import pytest
from fake.world import World

from labbuilder.errors import MachineError, RejectedConfigError, SpecError, VerificationError
from labbuilder.host.journal import Record
from labbuilder.lab import Lab

MACHINES = ("server1", "server2", "client1")


@pytest.fixture
def lab(world: World) -> Lab:
    """A lab that is up."""
    lab = world.lab().up()
    world.calls.clear()
    world.anew.clear()
    return lab


def steps(world: World) -> list[dict[str, list[str]]]:
    return [{machine: list(reasons) for machine, reasons in asked.items()} for asked in world.anew]


def test_a_check_that_fails_is_a_reason_to_apply_its_service_again(world: World, lab: Lab) -> None:
    world.red += [("forwarding.kernel", "server2")]
    lab.up()
    assert world.anew == [{}, {"server2": {"forwarding": "forwarding.kernel: seen so"}}]
    assert world.told("restore") == []


def test_where_the_service_does_nothing_all_of_the_machine_is_applied_again(world: World, lab: Lab) -> None:
    """Who gets an address by DHCP does nothing of DHCP."""
    world.red += [("lease.address", "client1")]
    lab.up()
    assert steps(world) == [{}, {"client1": ["identity", "network"]}]


def test_what_still_fails_gets_all_again_and_what_the_image_had(world: World, lab: Lab) -> None:
    world.red += [("names.zone", "server1")] * 2
    world.lacks["server2"] = ("/etc/bind", "/etc/bind/named.conf")
    lab.up()
    assert [sorted(asked) for asked in world.anew] == [[], ["server1"], sorted(MACHINES)]
    assert sorted(world.told("restore")) == [("restore", name) for name in sorted(MACHINES)]
    assert lab.outcome is not None
    assert lab.outcome.mended == ("server2",)
    assert not lab.outcome.unchanged


def test_what_nothing_mends_is_told_with_the_command_that_does(world: World, lab: Lab) -> None:
    world.red += [("names.zone", "server1")] * 3
    with pytest.raises(VerificationError) as told:
        lab.up()
    assert told.value.resolution is not None
    assert told.value.resolution.startswith("labbuilder remake server1 makes")
    assert world.told("destroy") == []


def test_reconfigure_makes_the_machine_anew_and_says_so(world: World, lab: Lab) -> None:
    world.red += [("names.zone", "server1")] * 3
    lab.up(reconfigure=True)
    assert world.told("destroy", "create", "start") == [
        ("destroy", "server1"),
        ("create", "server1"),
        ("start", "server1"),
    ]
    assert lab.outcome is not None
    assert lab.outcome.remade == lab.outcome.removed == ("server1",)


def test_who_shall_serve_is_the_operators_to_say(world: World, lab: Lab) -> None:
    for effect in ("takeover", "giveback", "takeover"):
        world.journal().append(Record(effect, "done", "server2"))
    world.red += [("standby.off", "server2")]
    with pytest.raises(VerificationError) as told:
        lab.up(reconfigure=True)
    assert world.anew == [{}]
    assert "labbuilder failover giveback" in str(told.value.resolution)
    world.journal().append(Record("giveback", "done"))
    world.red += [("standby.off", "server2")]
    lab.up()
    assert steps(world)[1:] == [{}, {"server2": [step.name for step in lab.plan().machine("server2").steps]}]


def test_a_machine_that_can_not_be_configured_gets_what_its_image_had_and_is_tried_again(
    world: World, lab: Lab
) -> None:
    world.refuses += [MachineError("server1: DNS server (BIND) failed")]
    world.lacks["server1"] = ("/etc/bind/named.conf",)
    lab.up()
    assert world.refuses == []
    assert lab.outcome is not None
    assert lab.outcome.mended == ("server1",)
    assert {record.machine for record in world.journal().records() if record.effect == "mend"} == {*MACHINES}


def test_where_nothing_is_missing_all_is_applied_again_once(world: World, lab: Lab) -> None:
    world.refuses += [MachineError("server1: DNS server (BIND) failed", resolution="look") for _ in range(3)]
    with pytest.raises(MachineError, match="BIND") as told:
        lab.up()
    assert len(world.refuses) == 1
    assert [sorted(asked) for asked in world.anew] == [[], sorted(MACHINES)]
    assert told.value.resolution == "look; labbuilder remake MACHINE makes that machine anew"


def test_reconfigure_makes_a_machine_anew_that_can_not_be_configured(world: World, lab: Lab) -> None:
    for _ in range(2):
        error = MachineError("server1: DNS server (BIND) failed")
        error.machine = "server1"
        world.refuses.append(error)
    lab.up(reconfigure=True)
    assert world.told("destroy", "create") == [("destroy", "server1"), ("create", "server1")]
    assert lab.outcome is not None
    assert lab.outcome.remade == ("server1",)


def test_a_file_that_its_daemon_refuses_is_told_at_once(world: World, lab: Lab) -> None:
    world.refuses += [RejectedConfigError("server1 refuses the new configuration of DNS") for _ in range(2)]
    with pytest.raises(RejectedConfigError):
        lab.up()
    assert len(world.refuses) == 1


def test_remake_makes_one_machine_anew_and_leaves_the_others(world: World, lab: Lab) -> None:
    (world.disk("server2") / "note").touch()
    (world.disk("client1") / "note").touch()
    lab.remake("client1")
    assert world.told("destroy", "create", "start", "kill", "stop") == [
        ("destroy", "client1"),
        ("create", "client1"),
        ("start", "client1"),
    ]
    assert (world.disk("server2") / "note").exists()
    assert not (world.disk("client1") / "note").exists()
    assert world.journal().unfinished() == ()
    assert ("remove", "client1") in [(record.effect, record.machine) for record in world.journal().records()]


def test_remake_of_what_is_not_there_touches_nothing(world: World, lab: Lab) -> None:
    with pytest.raises(SpecError, match="no machine 'server9'"):
        lab.remake("server9")
    with pytest.raises(SpecError, match="no lab named other"):
        world.lab("other").remake("server1")
    assert world.calls == []
