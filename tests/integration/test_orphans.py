"""A machine ends whole: whatever of it is killed or stopped from the host, no part of it lives on unseen."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from labbuilder.errors import MachineError
from labbuilder.host.store import Home
from labbuilder.host.wait import wait_until
from labbuilder.lab import Lab
from labbuilder.providers.base import MachineState
from labbuilder.providers.nspawn import cgroups, control
from labbuilder.providers.nspawn.provider import NspawnProvider

pytestmark = pytest.mark.needs_root


@pytest.fixture(scope="module")
def lab(home: Home) -> Iterator[Lab]:
    with Lab("orphans", home=home).add_server() as lab:
        yield lab


@pytest.fixture
def provider(lab: Lab) -> NspawnProvider:
    """Of the lab, whose machine is on."""
    provider = lab.session().provider
    assert isinstance(provider, NspawnProvider)
    if state(lab) is MachineState.STOPPED:
        provider.start("server1")
        provider.wait_ready("server1")
    return provider


def state(lab: Lab) -> MachineState:
    (machine,) = lab.status()
    return machine.state


def alive(provider: NspawnProvider) -> frozenset[int]:
    return cgroups.pids(cgroups.lab_groups(provider.mark), "server1")


def named(provider: NspawnProvider, name: str) -> int:
    """The oldest process of that name in the machine."""
    found = []
    for pid in alive(provider):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            found += [pid] if Path(f"/proc/{pid}/comm").read_text().strip() == name else []
    return min(found)


def kernel_says(pid: int) -> str:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in status if line.startswith("State:"))


@pytest.mark.parametrize("paused", [False, True])
def test_what_loses_its_nspawn_ends_whole_and_is_said_to_be_off(
    lab: Lab, provider: NspawnProvider, *, paused: bool
) -> None:
    before = alive(provider)
    if paused:
        provider.pause("server1")
    os.kill(named(provider, "systemd-nspawn"), signal.SIGKILL)
    if paused:
        provider.kill("server1")  # while it stands still nobody can know
    wait_until("it is off", lambda: state(lab) is MachineState.STOPPED, within_s=10.0)
    assert alive(provider) == frozenset()
    assert not [pid for pid in before if Path(f"/proc/{pid}").exists() and kernel_says(pid) != "Z"]
    provider.start("server1")
    provider.wait_ready("server1")
    # for a moment there are those that it has forked and that are not yet what they will be
    wait_until("there is one init", lambda: lab.run("server1", "pgrep -c -x systemd").stdout == "1\n", within_s=10.0)


def test_a_machine_is_on_as_long_as_any_of_its_processes_lives(lab: Lab, provider: NspawnProvider) -> None:
    """The supervisor does not get to know: it stands still."""
    supervisor = control.supervisor_pid(provider.lab.path / control.SOCKET_NAME)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(named(provider, "systemd-nspawn"), signal.SIGKILL)
    assert alive(provider)
    assert provider._runs({"running": False}, "server1")
    wait_until("it is off", lambda: state(lab) is MachineState.STOPPED, within_s=10.0)  # asked, the supervisor goes on
    assert not alive(provider)


def test_a_stopped_nspawn_goes_on_and_holds_up_neither_kill_nor_reboot(lab: Lab, provider: NspawnProvider) -> None:
    nspawn = named(provider, "systemd-nspawn")
    os.kill(nspawn, signal.SIGSTOP)
    provider.reboot("server1")
    nspawn = named(provider, "systemd-nspawn")
    os.kill(nspawn, signal.SIGSTOP)
    provider.kill("server1")
    assert state(lab) is MachineState.STOPPED
    assert not alive(provider)


def test_a_stopped_supervisor_goes_on_when_it_is_asked(lab: Lab, provider: NspawnProvider) -> None:
    supervisor = control.supervisor_pid(provider.lab.path / control.SOCKET_NAME)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGSTOP)
    wait_until("it stands still", lambda: kernel_says(supervisor) == "T", within_s=5.0)
    assert state(lab) is not MachineState.STOPPED
    assert kernel_says(supervisor) != "T"


def test_a_supervisor_that_does_not_answer_is_named_with_its_state(
    provider: NspawnProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = provider.lab.path / control.SOCKET_NAME
    supervisor = control.supervisor_pid(socket)
    assert supervisor is not None
    monkeypatch.setattr(control, "_let_go_on", lambda pid: os.kill(pid, signal.SIGSTOP))
    try:
        with pytest.raises(MachineError, match="did not answer within") as told:
            control.ask(socket, {"do": "status"}, timeout_s=0.3)
    finally:
        os.kill(supervisor, signal.SIGCONT)
    assert told.value.details == f"Process {supervisor}: T (stopped)"
    assert "labbuilder down --lab orphans removes the lab all the same" in str(told.value)


def test_a_supervisor_that_lost_its_socket_is_found_and_listens_again(lab: Lab, provider: NspawnProvider) -> None:
    socket = provider.lab.path / control.SOCKET_NAME
    supervisor = control.supervisor_pid(socket)
    socket.unlink()
    assert state(lab) is not MachineState.STOPPED
    assert control.supervisor_pid(socket) == supervisor


FROZEN_BY_ROOT = """
mkdir -p /run/freezer && mount -t cgroup -o freezer none /run/freezer
sleep 1000 </dev/null >/dev/null 2>&1 &
for hierarchy in /run/freezer /sys/fs/cgroup/unified /sys/fs/cgroup; do
    own=$hierarchy/own
    mkdir $own && echo $! >$own/cgroup.procs && for file in freezer.state=FROZEN cgroup.freeze=1; do
        test -e $own/${file%=*} && echo ${file#*=} >$own/${file%=*} && echo frozen
    done
done
"""


def test_root_in_a_machine_gets_no_freezer_that_outlasts_a_kill(lab: Lab, provider: NspawnProvider) -> None:
    assert lab.run("server1", FROZEN_BY_ROOT).stdout == "frozen\n"  # by v2 alone, where it can be killed
    provider.kill("server1")
    assert not alive(provider)


def test_groups_that_a_machine_froze_itself_are_thawed_when_it_ends(lab: Lab, provider: NspawnProvider) -> None:
    """As on a host whose freezer it was given."""
    groups = (cgroups.machine_group(group, "server1") for group in cgroups.lab_groups(provider.mark))
    freezer = next((group for group in groups if (group / "freezer.state").exists()), None)
    if freezer is None:
        pytest.skip("v2: what is frozen there can be killed")
    own = freezer / "own"
    own.mkdir()
    (own / "cgroup.procs").write_text(str(named(provider, "systemd-journal")))
    (own / "freezer.state").write_text("FROZEN")
    provider.kill("server1")
    assert not alive(provider)
