"""The provider's contract, the same for every kind of provider.

LABBUILDER_CONTRACT names the kinds that can start machines here. The tests that need one that runs share it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from labbuilder.errors import MachineError, TransportError
from labbuilder.host.run import Result
from labbuilder.host.store import Home, LabDir, remove_tree
from labbuilder.lab import Lab
from labbuilder.plan import Plan
from labbuilder.providers.base import MachineState, Provider
from labbuilder.providers.registry import open_provider
from labbuilder.spec.providers import PROVIDERS
from labbuilder.ssh.connection import connect

MARK = "c0117ac7"
KINDS = os.environ.get("LABBUILDER_CONTRACT", "nspawn virtualbox vagrant incus").split()
BOOTING = os.environ.get("LABBUILDER_CONTRACT", "nspawn incus").split()
FAKE = "fake"  # machines that are files, for the unit tests of all that stands on a provider


@dataclass(frozen=True)
class Bench:
    """A lab of one server that is planned, and of which nothing exists yet."""

    provider: Provider
    plan: Plan
    lab: LabDir

    def again(self) -> Provider:
        """The provider as another command would open it: it remembers nothing."""
        return open_provider(self.provider.kind, Home(self.lab.path.parent.parent), self.lab, MARK, self.plan.settings)

    def define(self) -> None:
        """Make the image, the networks and the machine."""
        self.provider.ensure_image(self.plan)
        self.provider.ensure_networks(self.plan)
        self.provider.create(self.plan, self.plan.machine("server1"))

    def state(self) -> MachineState:
        """The one machine's state, as a fresh command sees it."""
        (machine,) = self.again().status()
        return machine.state

    def run(self, script: str) -> Result:
        """Run a script in the machine over a new connection."""
        shell = connect(self.provider.endpoint("server1"))
        try:
            return shell.run(script)
        finally:
            shell.close()


@contextmanager
def lab_of_one(request: pytest.FixtureRequest, home: Home, name: str) -> Iterator[Bench]:
    kind = "nspawn" if request.param == FAKE else request.param
    spec = Lab(name, home=home).add_server().set(provider=kind)
    if "virtualbox" in PROVIDERS[kind].sections:
        spec.set(virtualbox=request.getfixturevalue(kind))
    if kind == "incus":
        spec.set(incus={"remote": request.getfixturevalue("incus_remote")})
    lab, plan = home.lab(name), spec.plan()
    lab.path.mkdir(parents=True)
    provider = open_provider(kind, home, lab, MARK, plan.settings)
    yield Bench(provider, plan, lab)
    provider.destroy_all()
    assert list(provider.residue()) == []
    remove_tree(lab.path)


def real(kinds: list[str]) -> list[Any]:
    return [pytest.param(kind, marks=pytest.mark.needs_root) for kind in kinds]


@pytest.fixture(params=[FAKE, *real(KINDS)])
def bench(request: pytest.FixtureRequest, home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    if request.param == FAKE:
        monkeypatch.setitem(PROVIDERS, "nspawn", replace(PROVIDERS["nspawn"], package=FAKE))
    with lab_of_one(request, home, "contract") as bench:
        yield bench


@pytest.fixture(params=real(BOOTING), scope="module")
def shared(request: pytest.FixtureRequest, home: Home) -> Iterator[Bench]:
    with lab_of_one(request, home, "booted") as bench:
        yield bench


@pytest.fixture
def running(shared: Bench) -> Bench:
    """The machine is switched on and answers, whatever the test before has done to it."""
    shared.define()
    if shared.state() is not MachineState.RUNNING:
        shared.provider.kill("server1")
        shared.provider.start("server1")
        shared.provider.wait_ready("server1")
    return shared


def test_what_was_never_made_is_told(bench: Bench) -> None:
    assert bench.provider.status() == ()
    assert list(bench.provider.residue()) == []
    with pytest.raises(MachineError, match="never-there was never made"):
        bench.provider.start("never-there")
    assert not bench.provider.is_awake("never-there")
    bench.provider.destroy("never-there")
    bench.provider.destroy_all()


def test_a_machine_is_defined_once_however_often_it_is_asked_for(bench: Bench) -> None:
    bench.define()
    assert bench.provider.has_image(bench.plan)
    assert bench.state() is MachineState.STOPPED
    first = bench.provider.endpoint("server1")
    left = sorted(bench.provider.residue())
    bench.define()
    assert bench.again().endpoint("server1") == first
    assert sorted(bench.provider.residue()) == left != []


def test_a_machine_that_is_off_can_be_told_so_again(bench: Bench) -> None:
    bench.define()
    for off in (bench.provider.stop, bench.provider.kill):
        off("server1")
    assert bench.state() is MachineState.STOPPED
    assert not bench.provider.is_awake("server1")
    with pytest.raises(MachineError, match="off, so it can't reboot"):
        bench.provider.reboot("server1")
    with pytest.raises(TransportError):
        bench.run("true")


def test_a_destroyed_machine_is_gone_and_can_be_made_again(bench: Bench) -> None:
    bench.define()
    for _ in range(2):
        bench.again().destroy("server1")
        assert bench.provider.status() == ()
    bench.define()
    assert bench.state() is MachineState.STOPPED


def test_everything_of_the_lab_goes_at_once_and_may_have_gone_before(bench: Bench) -> None:
    bench.define()
    for _ in range(2):
        bench.again().destroy_all()
        assert list(bench.provider.residue()) == []


def test_root_answers_by_the_labs_own_key_under_the_machines_own_name(running: Bench) -> None:
    assert running.run("id -un; hostname").stdout.split() == ["root", "server1"]
    assert running.state() in (MachineState.STARTING, MachineState.RUNNING)


def test_the_console_says_how_the_boot_went(running: Bench) -> None:
    assert running.provider.console("server1").read_text(errors="replace").strip()


def test_the_nics_are_the_plans(running: Bench) -> None:
    for nic in running.plan.machine("server1").nics:
        assert running.run(f"cat /sys/class/net/{nic.name}/address").stdout.strip() == nic.mac


def test_a_cable_is_pulled_and_plugged(running: Bench) -> None:
    seen = "ip link set enp0s3 up; cat /sys/class/net/enp0s3/carrier"
    for up in (False, False, True):
        running.provider.set_link("server1", "internal", up=up)
        assert (
            running.run(
                f"for i in $(seq 50); do c=$({seen}); [ $c = {up:d} ] && break; sleep 0.1; done; echo $c"
            ).stdout
            == f"{up:d}\n"
        )
        (machine,) = running.again().status()
        assert machine.cut_links == (() if up else ("internal",))


def test_a_paused_machine_stands_still_and_goes_on(running: Bench) -> None:
    running.provider.pause("server1")
    assert running.state() is MachineState.PAUSED
    assert not running.provider.is_awake("server1")
    running.provider.resume("server1")
    assert running.provider.is_awake("server1")
    assert running.run("echo on").stdout == "on\n"


def test_what_was_written_outlives_a_power_cut_a_shutdown_and_a_reboot(running: Bench) -> None:
    assert running.run("echo kept >/root/note; sync").ok
    for off in (running.provider.kill, running.provider.stop):
        off("server1")
        assert running.state() is MachineState.STOPPED
        assert not running.provider.is_awake("server1")
        running.again().start("server1")
        running.again().wait_ready("server1")
        assert running.run("cat /root/note").stdout == "kept\n"
    boot = running.run("cat /proc/sys/kernel/random/boot_id; stat -c %i /proc/1/ns/net").stdout
    running.again().reboot("server1")
    assert running.run("cat /proc/sys/kernel/random/boot_id; stat -c %i /proc/1/ns/net").stdout != boot
    assert running.run("cat /root/note").stdout == "kept\n"


def test_a_snapshot_is_gone_back_to_and_forgotten(running: Bench) -> None:
    provider = running.provider
    running.run("echo before >/root/note; sync")
    provider.save_snapshot("kept")
    assert running.run("echo after >/root/note; touch /root/new; rm -rf /var/lib/dhcp; sync").ok
    for _ in range(2):
        provider.kill("server1")
        provider.restore_snapshot("kept")
        running.again().start("server1")
        running.again().wait_ready("server1")
        assert running.run("cat /root/note; ls /root; ls -d /var/lib/dhcp").stdout == "before\nnote\n/var/lib/dhcp\n"
    for _ in range(2):
        provider.delete_snapshot("kept")
    assert running.run("cat /root/note").stdout == "before\n"


def test_a_machine_that_dies_ends_the_wait_for_it(running: Bench) -> None:
    running.provider.kill("server1")
    with pytest.raises(MachineError, match="server1 went off while it was waited for"):
        running.provider.wait_ready("server1")


def test_a_paused_machine_can_be_switched_off_and_destroyed(running: Bench) -> None:
    """The last one: nothing of the shared lab is left after it."""
    running.provider.pause("server1")
    running.again().kill("server1")
    assert running.state() is MachineState.STOPPED
    running.provider.start("server1")
    running.provider.wait_ready("server1")
    running.provider.pause("server1")
    running.again().destroy_all()
    assert list(running.provider.residue()) == []
