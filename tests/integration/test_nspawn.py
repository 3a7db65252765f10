"""What the nspawn provider promises beside the contract: the host stays as it is, and root is nobody there."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from labbuilder.errors import MachineError, SpecError
from labbuilder.host.run import run
from labbuilder.host.store import Home
from labbuilder.host.wait import wait_until
from labbuilder.lab import Lab
from labbuilder.providers.base import MachineState
from labbuilder.providers.nspawn import cgroups, control
from labbuilder.providers.nspawn.provider import NspawnProvider
from labbuilder.ssh.endpoint import connect_unix

pytestmark = pytest.mark.needs_root

UP_WITHOUT_MOUNTS = """
from pathlib import Path
from labbuilder.lab import Lab
mounts = set(Path("/proc/self/mountinfo").read_text().splitlines())
Lab("twin").add_server().add_client().up()
assert not set(Path("/proc/self/mountinfo").read_text().splitlines()) - mounts  # others' end with their folders
"""


def host_network() -> dict[str, str]:
    """What the host's own network is like."""
    commands = ["ip addr", "ip route", "ip rule", "ip netns list", "nft list ruleset"]
    seen = {command: run(*command.split()).stdout for command in commands}
    for tree in ("net", "fs/inotify", "kernel/keys", "user"):
        for path in (Path("/proc/sys") / tree).rglob("*"):
            if path.is_file() and not path.name.endswith("_count"):  # what is counted moves by itself
                with contextlib.suppress(OSError):  # write-only
                    seen[str(path)] = path.read_text()
    assert "/proc/sys/net/ipv4/ip_forward" in seen
    return seen


def test_two_labs_of_the_same_addresses_live_side_by_side_and_the_host_stays_as_it_is(home: Home, lab: Lab) -> None:
    before = host_network()
    # where nothing is seen that other tests mount meanwhile
    alone = ("unshare", "--mount", "--propagation=private", sys.executable, "-c", UP_WITHOUT_MOUNTS)
    twin = Lab("twin", home=home).add_server().add_client()
    try:
        run(*alone, env={"LABBUILDER_HOME": str(home.path)}, timeout_s=300.0)
        assert host_network() == before
        twin.verify().raise_for_failures()
        lab.verify().raise_for_failures()
    finally:
        twin.down()
    lab.verify().raise_for_failures()
    assert host_network() == before


def test_root_in_a_machine_is_nobody_on_the_host(lab: Lab) -> None:
    assert lab.run("server1", "awk '{print $2}' /proc/self/uid_map").stdout.strip() == "524288"
    pid = next(m.pid for m in lab.status() if m.name == "server1")
    owner = Path(f"/proc/{pid}").stat().st_uid
    assert owner >= 524288


def test_the_status_is_told_while_groups_come_and_go(lab: Lab) -> None:
    """A booting systemd makes and removes control groups all the time: one may be gone before it is read."""
    provider = lab.session().provider
    assert isinstance(provider, NspawnProvider)
    churned = cgroups.machine_group(cgroups.lab_groups(provider.mark)[0], "server1") / "churn"
    over = threading.Event()

    def churn() -> None:
        while not over.is_set():
            churned.mkdir()
            churned.rmdir()

    with ThreadPoolExecutor(1) as pool:
        churning = pool.submit(churn)
        try:
            for _ in range(300):
                assert {m.state for m in provider.status()} == {MachineState.RUNNING}
        finally:
            over.set()
        churning.result()


def test_nics_have_their_names_and_there_is_no_other(lab: Lab) -> None:
    nics = "ls /sys/class/net"
    assert lab.run("server1", nics).stdout.split() == ["enp0s3", "enp0s8", "lo"]
    assert lab.run("client1", nics).stdout.split() == ["enp0s3", "lo"]


def test_a_machine_that_was_rebooted_by_others_is_asked_again(lab: Lab) -> None:
    assert lab.run("client1", "true").ok
    again = Lab.from_spec(lab.spec, home=lab.session().home)
    again.session().provider.reboot("client1")
    again.close()
    assert lab.run("client1", "true").ok


def test_another_spec_under_the_same_name_is_refused_unless_told(home: Home) -> None:
    with Lab("changing", home=home).add_server() as lab:
        other = Lab("changing", home=home).add_server().add_client()
        with pytest.raises(SpecError, match="made from another spec"):
            other.up()
        lab.verify().raise_for_failures()
        other.up(reconfigure=True)
        other.verify().raise_for_failures()
        assert [m.name for m in other.status()] == ["client1", "server1"]
        moved = Lab("changing", home=home).add_server().add_client().set(provider="incus")
        for refused in (moved.difference, lambda: moved.up(reconfigure=True)):
            with pytest.raises(SpecError, match="is on nspawn already, and can't be moved to incus"):
                refused()
        Lab("changing", home=home).add_server().up(reconfigure=True).verify().raise_for_failures()
        assert [m.name for m in lab.status()] == ["server1"]


def test_a_machine_starts_while_the_namespace_of_its_last_boot_is_still_there(home: Home) -> None:
    """The kernel takes it apart when it likes; here somebody holds it. The new wires have the names of the old ones."""
    with Lab("again", home=home).add_server() as lab:
        provider = lab.session().provider
        assert isinstance(provider, NspawnProvider)
        with contextlib.ExitStack() as held:
            for pid in cgroups.pids(cgroups.lab_groups(provider.mark), "server1"):
                with contextlib.suppress(FileNotFoundError):  # it ended just now
                    held.enter_context(Path(f"/proc/{pid}/ns/net").open("rb"))
            provider.kill("server1")
            provider.start("server1")
            provider.wait_ready("server1")
            lab.up()


def provider_of(lab: Lab) -> NspawnProvider:
    provider = lab.session().provider
    assert isinstance(provider, NspawnProvider)
    return provider


def states(lab: Lab) -> dict[str, MachineState]:
    return {machine.name: machine.state for machine in lab.status()}


ALL_RUN = dict.fromkeys(("client1", "server1", "server2"), MachineState.RUNNING)


@pytest.mark.parametrize("request_", [b'{"do": "sta', b"\xff\n", b"42\n", b"{}\n", b'{"do": "boot"}\n'])
def test_a_request_that_is_half_or_garbage_is_answered_and_the_lab_lives_on(lab: Lab, request_: bytes) -> None:
    with connect_unix(provider_of(lab).lab.path / "control.sock", timeout_s=5.0) as connection:
        connection.sendall(request_)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            assert b'"error"' in answer.readline()
    assert states(lab) == ALL_RUN


def test_a_machine_that_says_no_text_is_passed_over(lab: Lab) -> None:
    folder = os.open(provider_of(lab).lab.machine("server1") / "run", os.O_PATH)
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as said:
        said.sendto(b"\xff", f"/proc/self/fd/{folder}/notify")
    os.close(folder)
    assert states(lab) == ALL_RUN


def test_a_machine_that_cant_be_wired_ends_alone(lab: Lab) -> None:
    provider = provider_of(lab)
    hardware = provider.lab.machine("server1") / "nics.json"
    whole = hardware.read_text()
    provider.kill("server1")
    hardware.write_text(whole.replace("enp0s8", "no/name"))
    try:
        provider.start("server1")
        with pytest.raises(MachineError, match="server1 went off while it was waited for"):
            provider.wait_ready("server1")
    finally:
        hardware.write_text(whole)
    assert states(lab) == ALL_RUN | {"server1": MachineState.STOPPED}
    assert "no/name" in (provider.lab.path / "supervisor.log").read_text()
    lab.up()


def test_a_machine_that_cant_be_powered_on_again_ends_alone(lab: Lab) -> None:
    provider = provider_of(lab)
    run_ = provider.lab.machine("server1") / "run"
    away = run_.rename(run_.with_name("away"))
    try:
        with pytest.raises(MachineError, match="server1 went off while it was waited for"):
            provider.reboot("server1")
    finally:
        away.rename(run_)
    assert states(lab) == ALL_RUN | {"server1": MachineState.STOPPED}
    lab.up()


def test_up_starts_a_world_again_that_has_died(lab: Lab) -> None:
    provider, plan = provider_of(lab), lab.session().plan
    control_socket = provider.lab.path / "control.sock"
    supervisor = control.supervisor_pid(control_socket)
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    (world,) = [pid for pid in children if "supervisor" in Path(f"/proc/{pid}/cmdline").read_text()]
    with Path(f"/proc/{world}/ns/net").open("rb"):  # the kernel takes it apart when it likes
        os.kill(int(world), signal.SIGKILL)
        wait_until("it is dead", lambda: not control.ask(control_socket, {"do": "status"})["world"], within_s=5.0)
        lab.up()
    provider.ensure_networks(plan)
    lab.verify().raise_for_failures()
    assert control.supervisor_pid(control_socket) == supervisor
    assert states(lab) == ALL_RUN


@pytest.mark.parametrize("name", ["supervisor", "tasks"])
def test_a_machine_may_have_the_name_of_something_in_the_lab_or_in_every_control_group(home: Home, name: str) -> None:
    with Lab("named", home=home).add_server(name) as lab:
        provider = provider_of(lab)
        provider.pause(name)
        assert states(lab) == {name: MachineState.PAUSED}
        provider.resume(name)
        provider.destroy(name)
        assert states(lab) == {}
