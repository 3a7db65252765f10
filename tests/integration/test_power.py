"""Machines and cables are switched by hand, and `up` brings back what it can."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from labbuilder.host.journal import Journal
from labbuilder.host.store import locked
from labbuilder.host.wait import wait_until
from labbuilder.lab import Lab
from labbuilder.providers.base import MachineState

pytestmark = pytest.mark.needs_root


def typed(*words: str) -> tuple[int, str, str]:
    """Its exit status, what it printed, what it complained of."""
    argv = [sys.executable, "-m", "labbuilder", *words, "--lab", "guide"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def states(lab: Lab) -> dict[str, MachineState]:
    return {machine.name: machine.state for machine in lab.status()}


def await_carrier(lab: Lab, nic: str, *, up: bool) -> None:
    seen = f"ip link set {nic} up; cat /sys/class/net/{nic}/carrier"
    wait_until(
        f"{nic} has carrier: {up}", lambda: lab.run("server1", seen).stdout == f"{up:d}\n", within_s=10, every_s=0.1
    )


def test_machines_are_stopped_started_paused_and_rebooted_by_hand(lab: Lab) -> None:
    boots = {machine.name: machine.boots for machine in lab.status()}
    assert typed("stop", "server1", "client1")[:2] == (0, "Stopped: server1, client1.\n")
    assert states(lab)["client1"] is states(lab)["server1"] is MachineState.STOPPED
    code, said, told = typed("start", "server1", "client1", "--json")
    assert (code, json.loads(said)) == (0, {"started": ["server1", "client1"]})
    assert "start" in told
    assert "boot" in told
    assert lab.run("client1", "hostname").stdout == "client1\n"
    assert typed("kill", "client1")[:2] == (0, "Killed: client1.\n")
    assert states(lab)["client1"] is MachineState.STOPPED
    assert typed("start", "client1,server1")[:2] == (0, "Started: client1, server1.\n")
    assert typed("pause", "all")[:2] == (0, "Paused: server1, server2, client1.\n")
    assert set(states(lab).values()) == {MachineState.PAUSED}
    assert lab.difference().start == ("server1", "server2", "client1")
    assert typed("resume", "all")[:2] == (0, "Resumed: server1, server2, client1.\n")
    assert typed("reboot", "client1")[:2] == (0, "Rebooted: client1.\n")
    assert lab.run("client1", "hostname").stdout == "client1\n"
    boots |= {"server1": boots["server1"] + 1, "client1": boots["client1"] + 3}
    assert {machine.name: machine.boots for machine in lab.status()} == boots
    done = [(r.effect, r.machine) for r in Journal(lab.session().lab.journal).records() if r.state == "done"]
    typed_words = {("stop", "server1"), ("kill", "client1"), ("pause", "server2"), ("resume", "client1")}
    assert {*typed_words, ("start", "client1"), ("reboot", "client1")} <= set(done)
    lab.up()


def test_cables_are_unplugged_and_plugged_by_hand_and_by_up(lab: Lab) -> None:
    assert typed("unplug", "server1", "bridged")[:2] == (0, "Unplugged: the bridged cable of server1.\n")
    await_carrier(lab, "enp0s8", up=False)
    assert typed("unplug", "client1")[:2] == (0, "Unplugged: the internal cable of client1.\n")
    assert {m.name: m.cut_links for m in lab.status() if m.cut_links} == {
        "client1": ("internal",),
        "server1": ("bridged",),
    }
    last = Journal(lab.session().lab.journal).records()[-1]
    assert (last.effect, last.state, last.machine, last.data) == ("unplug", "done", "client1", {"network": "internal"})
    code, said, _ = typed("plug", "server1", "bridged", "--json")
    assert (code, json.loads(said)) == (0, {"plugged": ["server1"], "network": "bridged"})
    await_carrier(lab, "enp0s8", up=True)
    lab.up()
    assert lab.outcome is not None
    assert lab.outcome.started == ("client1",)
    assert not any(m.cut_links for m in lab.status())


def test_what_can_not_be_switched_is_told(lab: Lab) -> None:
    provider = lab.session().provider
    for words, told in (
        (("stop", "server1", "nope"), "the lab guide has no machine 'nope'"),
        (("plug", "nope"), "the lab guide has no machine 'nope'"),
        (("unplug", "client1", "bridged"), "client1 has no card on the bridged network"),
    ):
        code, said, complained = typed(*words)
        assert (code, said) == (2, "")
        assert told in complained
    assert states(lab)["server1"] is MachineState.RUNNING
    for off, refused, state in (
        (provider.pause, ("start", "reboot"), "paused"),
        (provider.kill, ("pause", "resume", "reboot"), "stopped"),
    ):
        off("client1")
        for word in refused:
            code, said, complained = typed(word, "client1")
            assert (code, said) == (4, "")
            assert f"client1 is {state}" in complained
    lab.up()
    with locked(lab.session().lab):
        code, said, complained = typed("kill", "client1")
    assert (code, said) == (3, "")
    assert "another labbuilder is working on the lab guide" in complained
