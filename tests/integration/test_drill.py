"""Drills on real labs: what is measured, what is refused, and that whatever is broken is repaired."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from labbuilder.drill import FAULTS
from labbuilder.drill.model import DrillResult, Kind
from labbuilder.drill.share import shares
from labbuilder.errors import HostError, MachineError, SpecError, VerificationError
from labbuilder.journal import Journal
from labbuilder.lab import Lab
from labbuilder.store import Home
from labbuilder.wait import wait_until

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]

DRILL = (sys.executable, "-m", "labbuilder", "drill")
ISC = "isc-dhcp-server"


@pytest.fixture(scope="module")
def drilled(home: Home) -> Iterator[Lab]:
    """A lab of these tests' own: they hold its lock, kill who works on it, and break it."""
    lab = Lab("drilled", home=home).add_server().add_server().add_client()
    with lab.up():
        yield lab


def events(result: DrillResult) -> list[str]:
    return [event.what for event in result.events if event.what != "state"]


def begun(lab: Lab, home: Home) -> bool:
    """A fault was journalled, so the drill is about to break the lab or has done so."""
    return any(record.effect == "fault" for record in Journal(home.lab(lab.name).journal).unfinished())


@contextmanager
def drilling(name: str, lab: Lab) -> Iterator[subprocess.Popen[str]]:
    """The command, in a process of its own; it is ended at the latest at the block's end."""
    running = subprocess.Popen([*DRILL, name, "--lab", lab.name], stderr=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.send_signal(signal.SIGINT)  # repairs; nothing where it has ended
        running.communicate(timeout=180)


def await_dead(lab: Lab) -> None:
    wait_until(
        "dhcpd is dead", lambda: not lab.run("server1", f"systemctl -q is-active {ISC}").ok, within_s=180, every_s=0.1
    )


@pytest.fixture(scope="module")
def crash(drilled: Lab) -> DrillResult:
    return drilled.drill("crash-primary")


def test_the_figures_come_from_the_wire(crash: DrillResult) -> None:
    assert {outage.kind for outage in crash.outages} == set(Kind)
    assert all(outage.asked for outage in crash.outages)
    assert crash.outage is not None
    assert {"DISCOVER", "OFFER", "REQUEST", "ACK", "RELEASE"} <= {message.type for message in crash.messages}
    during = {message.server for message in crash.messages if message.type == "ACK" and 0.5 < message.at_s < 5}
    before = {message.server for message in crash.messages if message.type == "ACK" and message.at_s < 0}
    assert (before, during) == ({"server1", "server2"}, {"server2"})


def test_the_states_and_the_repair_are_marked(crash: DrillResult) -> None:
    assert events(crash) == ["fault", "repair", "normal"]
    told = [(event.machine, event.text) for event in crash.events if event.what == "state"]
    assert (
        told.index(("server2", "communications-interrupted")) < len(told) - told[::-1].index(("server2", "normal")) - 1
    )


def test_nothing_is_given_twice_or_lost_and_the_lab_is_proven_afterwards(crash: DrillResult, drilled: Lab) -> None:
    assert (crash.duplicates, crash.lost) == ((), ())
    assert crash.passed
    assert drilled.run("client1", "ip netns list; systemctl list-units --no-legend 'lab-drill*'").stdout.strip() == ""


@pytest.mark.parametrize("name", sorted(set(FAULTS) - {"crash-primary", "crash-under-load"}))
def test_every_drill_passes_and_leaves_a_lab_that_needs_nothing(drilled: Lab, name: str) -> None:
    result = drilled.drill(name)
    assert result.passed, (result.duplicates, result.lost, result.verification.failures)
    assert "repair" in events(result)
    assert drilled.up().outcome is not None
    assert drilled.outcome is not None
    assert drilled.outcome.unchanged


def test_under_load_no_address_is_given_twice_and_no_lease_lost(drilled: Lab) -> None:
    result = drilled.drill("crash-under-load")
    assert "sent packets: 2000" in result.load, result.load
    assert sum(1 for exchange in result.exchanges if exchange.answered_at_s is not None) > 1500
    assert (result.duplicates, result.lost) == ((), ())


def test_the_same_seed_means_the_same_clients(drilled: Lab, crash: DrillResult) -> None:
    other = drilled.drill("stop-primary", seed=2)
    assert {m.client for m in other.messages}.isdisjoint({m.client for m in crash.messages})


def test_the_share_of_each_server_is_counted(drilled: Lab) -> None:
    with drilled.locked_session() as session:
        found = shares(session, clients=60)
    assert sum(found.answers.values()) == 60
    assert min(found.answers.values()) > 10  # of 30; a thousandth of all seeds has fewer


def test_ctrl_c_repairs(drilled: Lab, home: Home) -> None:
    with drilling("crash-primary", drilled) as running:
        await_dead(drilled)
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=180)
    assert running.returncode == 130
    assert "interrupted" in told
    assert not begun(drilled, home)
    assert drilled.run("server1", f"systemctl -q is-active {ISC}").ok
    drilled.up()


def test_up_undoes_a_drill_that_was_killed(drilled: Lab, home: Home) -> None:
    with drilling("cut-link", drilled) as running:
        wait_until("the cable is out", lambda: any(m.cut_links for m in drilled.status()), within_s=180, every_s=0.1)
        running.kill()
        running.wait()
    assert begun(drilled, home)
    drilled.up()
    assert not begun(drilled, home)
    assert not any(machine.cut_links for machine in drilled.status())
    assert drilled.run("client1", "ip netns list").stdout == ""


def test_a_second_drill_is_refused_while_one_runs(drilled: Lab, home: Home) -> None:
    with drilling("crash-primary", drilled) as running:
        wait_until("the drill has begun", lambda: begun(drilled, home), within_s=180, every_s=0.05)
        with pytest.raises(HostError, match="another labbuilder is working on the lab drilled"):
            drilled.drill("stop-primary")
        _, told = running.communicate(timeout=180)
    assert running.returncode == 0, told


def test_a_lab_that_fails_a_check_is_not_broken_further(drilled: Lab, home: Home) -> None:
    drilled.run("server2", "sysctl -w net.ipv4.ip_forward=0")
    with pytest.raises(VerificationError, match="crash-primary is refused") as refused:
        drilled.drill("crash-primary")
    assert "server2" in str(refused.value)
    assert not begun(drilled, home)
    drilled.up()


def test_a_repair_that_fails_says_what_is_left_and_up_mends_it(drilled: Lab) -> None:
    """The daemon's program is taken away while it is dead, so it can't be started again."""

    def take_away() -> None:
        await_dead(drilled)
        drilled.run("server1", "mv /usr/sbin/dhcpd /usr/sbin/dhcpd.away")

    thief = threading.Thread(target=take_away)
    thief.start()
    with pytest.raises(MachineError, match=r"the repair of crash-primary failed: .* and still is so") as failed:
        drilled.drill("crash-primary")
    thief.join()
    assert "labbuilder up mends it" in str(failed.value)
    with pytest.raises(MachineError, match="the repair of crash-primary failed"):
        drilled.up()
    drilled.run("server1", "mv /usr/sbin/dhcpd.away /usr/sbin/dhcpd")
    drilled.up()


def test_what_can_not_be_drilled_is_refused(drilled: Lab, home: Home) -> None:
    with pytest.raises(SpecError, match="there is no drill 'crash-everything'"):
        drilled.drill("crash-everything")
    with Lab("alone", home=home).add_server().add_client().up() as lab, pytest.raises(SpecError, match="two servers"):
        lab.drill("crash-primary")


def labbuilder(*words: str, folder: Path) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "labbuilder", *words, "--json"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("engine", ["isc", "kea"])
@pytest.mark.parametrize("mode", ["load-balancing", "hot-standby", "round-robin", "manual"])
def test_another_mode_is_drilled_in_a_lab_of_its_own(
    drilled: Lab, home: Home, tmp_path: Path, engine: str, mode: str
) -> None:
    before = home.lab_names()
    name = "power-cut" if engine == "kea" else "crash-primary"
    words = ["drill", name, "--mode", mode, "--engine", engine, "--timers", "quick", "--lab", drilled.name]
    own = (engine, mode) == ("isc", "load-balancing")
    code, told = labbuilder(*words, "--report", str(tmp_path), folder=tmp_path)
    (found,) = told["drills"]
    assert (code, told["not_measured"]) == (0, [])
    assert (found["engine"], found["mode"], found["passed"]) == (engine, mode, True)
    assert (found["lab"] == drilled.name) is own
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json", "report.xml"]
    assert home.lab_names() == before
    takeover = [event["at_s"] for event in found["events"] if event["what"] == "takeover"]
    assert bool(takeover) is (mode == "manual")
    if mode == "manual":
        served = [m for m in found["messages"] if m["type"] == "ACK" and 0.5 < m["at_s"] < takeover[0]]
        assert served == []  # nobody is served before the operator says so


def test_a_drill_that_can_not_be_measured_is_told_and_the_others_go_on(home: Home, tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text("name: small\ndhcp: {pool: 192.168.1.100-192.168.1.103}\n")
    code, told = labbuilder("drill", "pool-exhausted", "crash-primary", "--engine", "kea", folder=tmp_path)
    assert code == 2
    assert [(missing["drill"], missing["exit_code"]) for missing in told["not_measured"]] == [("pool-exhausted", 2)]
    assert "too small" in told["not_measured"][0]["brief"]
    assert [(found["drill"], found["passed"]) for found in told["drills"]] == [("crash-primary", True)]
    assert "small-kea-load-balancing" not in home.lab_names()
