"""Drills that are refused, interrupted or killed, or can't be repaired: whatever is broken is mended."""

from __future__ import annotations

import functools
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from labbuilder.errors import HostError, MachineError, SpecError, VerificationError
from labbuilder.host.journal import Journal, Record
from labbuilder.host.store import Home
from labbuilder.host.wait import wait_until
from labbuilder.lab import Lab
from labbuilder.providers.base import MachineState

pytestmark = [pytest.mark.needs_root, pytest.mark.slow, pytest.mark.measures]

DRILL = (sys.executable, "-m", "labbuilder", "drill")
ISC = "isc-dhcp-server"


def begun(lab: Lab, home: Home) -> bool:
    """A fault was journalled, so the drill is about to break the lab or has done so."""
    return any(record.effect == "fault" for record in Journal(home.lab(lab.name).journal).unfinished())


@contextmanager
def drilling(name: str, lab: Lab) -> Iterator[subprocess.Popen[str]]:
    """The command, in a process of its own; it is ended at the latest at the block's end."""
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs ignore it
    words = [*DRILL, name, "--lab", lab.name]
    running = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, preexec_fn=heard)  # noqa: PLW1509  no threads
    try:
        yield running
    finally:
        running.send_signal(signal.SIGINT)  # repairs; nothing where it has ended
        running.communicate(timeout=180)


def await_dead(lab: Lab) -> None:
    wait_until(
        "dhcpd is dead", lambda: not lab.run("server1", f"systemctl -q is-active {ISC}").ok, within_s=180, every_s=0.1
    )


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


def test_up_lets_a_primary_go_on_whose_drill_was_killed_while_it_was_paused(drilled: Lab, home: Home) -> None:
    session = drilled.session()
    session.journal.append(Record("fault", "begun", data={"name": "pause-primary"}))
    session.provider.pause("server1")
    drilled.up()
    assert not begun(drilled, home)
    assert {machine.state for machine in drilled.status()} == {MachineState.RUNNING}


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


def test_what_is_no_drill_is_refused(drilled: Lab) -> None:
    with pytest.raises(SpecError, match="there is no drill 'crash-everything'"):
        drilled.drill("crash-everything")
