"""Snapshots of a whole lab that runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from labbuilder.errors import CommandError, MachineError, SpecError
from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.providers.base import MachineState
from labbuilder.providers.nspawn import folders

pytestmark = pytest.mark.needs_root


def test_a_lab_goes_back_to_what_was_kept_and_is_proven(lab: Lab) -> None:
    lab.save("good")
    lab.run("server1", "echo broken >/etc/dhcp/dhcpd.conf; rm /etc/iptables/rules.v4; touch /root/later")
    lab.run("client1", "systemctl disable networking")
    lab.restore("good").verify().raise_for_failures()
    assert not lab.run("server1", "test -e /root/later").ok
    assert [kept.name for kept in lab.snapshots()] == ["good"]
    with pytest.raises(SpecError, match="has a snapshot good already"):
        lab.save("good")
    lab.forget("good")
    assert lab.snapshots() == ()
    with pytest.raises(SpecError, match="has no snapshot good"):
        lab.restore("good")


def test_names_that_lead_elsewhere_are_refused(lab: Lab) -> None:
    for name in ("../x", "", "A", ".hidden", "a/b"):
        with pytest.raises(SpecError, match="can't be a snapshot's name"):
            lab.save(name)
        with pytest.raises(SpecError, match="has no snapshot"):
            lab.forget(name)


def test_a_snapshot_that_fails_leaves_nothing_and_the_lab_goes_on(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise CommandError(brief="cp failed", details="No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(folders, "save", full)
        with pytest.raises(CommandError):
            lab.save("halfway")
    assert lab.snapshots() == ()
    assert list(lab.session().lab.snapshots.iterdir()) == []
    lab.verify().raise_for_failures()


def test_a_snapshot_of_another_spec_is_not_gone_back_to(home: Home) -> None:
    with Lab("grown", home=home).add_server() as lab:
        lab.save("small")
        lab.add_client().up(reconfigure=True)
        with pytest.raises(SpecError, match="had another spec"):
            lab.restore("small")
        lab.verify().raise_for_failures()
        assert Path(lab.session().lab.snapshots / "small" / "lab.yaml").exists()


KILLED = """
import os, pathlib, signal, sys
from labbuilder.lab import Lab
pathlib.Path.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # a copy is there, and not yet in place
getattr(Lab("guide"), sys.argv[1])(sys.argv[2])
"""


def killed(deed: str, snapshot: str) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, deed, snapshot], capture_output=True, text=True, check=False)
    assert ended.returncode == -9, ended.stderr


def test_up_lets_the_machines_go_on_that_a_killed_save_left_paused(lab: Lab) -> None:
    killed("save", "halfway")
    assert {machine.state for machine in lab.status()} == {MachineState.PAUSED}
    lab.up()
    assert {machine.state for machine in lab.status()} == {MachineState.RUNNING}
    assert lab.snapshots() == ()


def test_up_goes_on_with_a_restore_that_was_killed_and_does_it_once(lab: Lab) -> None:
    lab.save("good")
    later = "test -e /root/later"
    for machine in lab.plan().machines:
        lab.run(machine.name, "touch /root/later")
    killed("restore", "good")
    for change, name in ((lab.save, "mixed"), (lab.forget, "good")):
        with pytest.raises(MachineError, match="halfway back"):
            change(name)
    lab.up()
    assert not any(lab.run(machine.name, later).ok for machine in lab.plan().machines)
    lab.run("client1", "touch /root/later")
    lab.up()
    assert lab.run("client1", later).ok
    lab.forget("good")
