"""Looking at a lab: how much VirtualBox is asked, and how its list for people is read."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import userland
from virtual_trial import MARK, Trial

from labbuilder.errors import MachineError
from labbuilder.host.store import Home, remove_tree
from labbuilder.lab import Lab
from labbuilder.lifecycle.identity import Identity
from labbuilder.lifecycle.session import Session
from labbuilder.lifecycle.up import SWITCH_ON, Work
from labbuilder.providers.base import MachineState
from labbuilder.providers.virtualbox import host
from labbuilder.providers.virtualbox.provider import VirtualBoxProvider
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage
from labbuilder.spec.providers import VirtualBox
from labbuilder.ssh.keys import ensure_keys

pytestmark = pytest.mark.needs_root


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What VBoxManage is asked from now on."""
    real, said = VBoxManage._run, []

    def noted(self: VBoxManage, argv: tuple[str | Path, ...], **limits: Any) -> Any:
        said.append(tuple(map(str, argv)))
        return real(self, argv, **limits)

    monkeypatch.setattr(VBoxManage, "_run", noted)
    return said


def test_a_lab_of_any_size_is_looked_at_by_one_question(trial: Trial, asked: list[tuple[str, ...]]) -> None:
    trial.define()
    asked.clear()
    assert len(trial.provider.status()) == 3
    assert asked == [("list", "--long", "vms")]


@pytest.fixture
def running(trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    """Every machine runs, by a VBoxManage that calls the real one and says so; something answers on its SSH port."""
    trial.define()
    real, folder = userland.build() / "VBoxManage", tmp_path / "shim"
    folder.mkdir()
    (folder / "VBoxManage").write_text(
        f'#!/bin/bash\nset -o pipefail\n{real} "$@" | sed "s/powered off (/running (/"\n'
    )
    (folder / "VBoxManage").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    listeners = [socket.create_server(("127.0.0.1", known.port)) for known in trial.provider.control.known()]

    def answer(listener: socket.socket) -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            with caller:
                caller.sendall(b"SSH-2.0-trial\r\n")

    with ThreadPoolExecutor(len(listeners)) as pool:
        for listener in listeners:
            pool.submit(answer, listener)
        yield trial
        for listener in listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
    monkeypatch.undo()


def test_up_of_a_lab_that_runs_changes_nothing_and_asks_once(running: Trial, asked: list[tuple[str, ...]]) -> None:
    lab = running.provider.lab
    ensure_keys(lab, [machine.name for machine in running.plan.machines])
    assert {machine.state for machine in running.provider.status()} == {MachineState.RUNNING}
    spec = Lab("trap").add_server().add_server().add_client()
    spec.set(provider="virtualbox", virtualbox=running.plan.section(VirtualBox).model_dump())
    asked.clear()
    identity = Identity("virtualbox", running.provider.mark)
    with Session(Home(lab.path.parent.parent), lab, identity, spec.spec) as session:
        assert Work(session).carry_out(SWITCH_ON).started == ()
    assert asked == [("list", "--long", "vms")]


def test_the_long_list_says_what_each_machine_says_of_itself(
    virtualbox: dict[str, Any], trial: Trial, vboxmanage: VBoxManage, tmp_path: Path
) -> None:
    """Of the lab's, of a user's with odd words everywhere, of one that is saved, and of one that is lost."""
    del virtualbox
    trial.define()
    users, odd = tmp_path / "users", 'odd "name" {x}'
    for name, folder in ((odd, users), ("saved", users), ("lost", tmp_path / "lost")):
        vboxmanage.change("createvm", "--name", name, "--basefolder", folder, "--register")
    card = "NIC 1:   MAC: 000000000000, Attachment: NAT, Cable connected: off, Trace: off"
    story = f"Name:   no\nState:   running (since x)\n{card}"
    cards = ("--nic1", "natnetwork", "--nic2", "generic", "--nic3", "null", "--nic4", "bridged")
    inner = ("--bridge-adapter4", "eth0", "--nic5", "intnet", "--intnet5", "it's, Cable connected: on")
    vboxmanage.change("modifyvm", odd, "--description", story, *cards, *inner, "--cable-connected5", "off")
    for name, words in (("one (UUID: x)", "of the first"), ("two", "* Snapshots:"), ("three", "")):
        vboxmanage.change("snapshot", odd, "take", name, "--description", words)
        vboxmanage.change("snapshot", odd, "restore", "one (UUID: x)")
    (tmp_path / "state.sav").touch()
    vboxmanage.change("adoptstate", "saved", tmp_path / "state.sav")
    userland.end_services(
        os.environ["VBOX_IPC_SOCKETID"]
    )  # a service that starts now finds the lost one's settings gone
    remove_tree(tmp_path / "lost")
    registry = trial.provider.registry
    try:
        found = registry.machines()
        assert found == {uuid: registry.machine(uuid) for uuid in registry.names()}
        by_name = {machine.name: machine for machine in found.values()}
        assert by_name["saved"].state == "saved"
        assert by_name["<inaccessible>"].settings == tmp_path / "lost/lost/lost.vbox"
        assert by_name[odd].snapshots == ("one (UUID: x)", "two", "three")
        assert [(a.slot, a.connected) for a in by_name[odd].adapters] == [(1, True), (2, True), (4, True), (5, False)]
    finally:
        lost = [uuid for uuid, name in registry.names().items() if name == "<inaccessible>"]
        vboxmanage.change("discardstate", "saved")
        for machine in (odd, "saved", *lost):
            vboxmanage.change("unregistervm", machine)


def test_a_machine_whose_settings_are_lost_is_told_and_goes(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    trial.define()
    monkeypatch.setattr(host, "DRIVER", Path("/dev/null"))
    (known,) = [found for found in trial.provider.control.known() if found.machine == "server1"]
    settings = trial.provider.registry.machine(known.uuid).settings
    assert settings is not None
    settings.unlink()
    userland.end_services(os.environ["VBOX_IPC_SOCKETID"])
    assert [m.state for m in trial.provider.status()] == [MachineState.STOPPED] * 3
    with pytest.raises(MachineError, match="can't read the settings of server1") as told:
        VirtualBoxProvider(Home(trial.provider.lab.path.parent.parent), trial.provider.lab, MARK).start("server1")
    assert str(settings) in (told.value.details or "")
