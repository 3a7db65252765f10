"""The traps of VirtualBox, on its real VBoxManage and VBoxSVC."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import userland
from virtual_trial import MARK, Trial

import labbuilder
from labbuilder.errors import HostError, MachineError, ProviderUnavailableError
from labbuilder.host.run import Result, run
from labbuilder.host.store import Home, remove_tree
from labbuilder.lab import Lab
from labbuilder.providers.base import Finding, MachineState
from labbuilder.providers.disks import built
from labbuilder.providers.virtualbox import hardware, host, media
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage

pytestmark = pytest.mark.needs_root


@pytest.mark.parametrize("clones", ["full", "linked"])
def test_a_lab_is_defined_and_goes_beside_a_users_machine(
    virtualbox: dict[str, Any], tmp_path: Path, users: str, clones: str
) -> None:
    del users
    trial = Trial(Home(tmp_path / "home"), virtualbox | {"clones": clones})
    trial.define()
    seen = trial.provider.status()
    assert [(m.name, m.state) for m in seen] == [(n, MachineState.STOPPED) for n in ("client1", "server1", "server2")]
    trial.provider.destroy_all()
    assert list(trial.provider.residue()) == []
    assert Path(virtualbox["image"]).is_file()


def test_the_hardware_is_the_plans(trial: Trial) -> None:
    trial.define()
    (known,) = [found for found in trial.provider.control.known() if found.machine == "server1"]
    first, second, third = trial.provider.registry.machine(known.uuid).adapters
    server = trial.plan.machine("server1")
    assert (first.attachment, first.network) == ("intnet", f"labbuilder-trap-{MARK}")
    assert first.mac == server.nic("internal").mac.replace(":", "").upper()
    assert second.mac == server.nic("bridged").mac.replace(":", "").upper()
    assert (second.attachment, third.attachment) == ("nat", "nat")
    seen = trial.provider.vboxmanage.ask("showvminfo", known.uuid, "--machinereadable")
    assert f'Forwarding(0)="ssh,tcp,127.0.0.1,{known.port},,22"' in seen
    assert 'chipset="piix3"' in seen
    told = trial.provider.vboxmanage.ask("getextradata", known.uuid, hardware.LAN_BOOT_KEY)
    rom = told.split("Value: ")[1].strip()
    assert Path(rom).read_bytes() == hardware.NO_LAN_BOOT


def test_a_machine_is_defined_by_the_calls_that_a_script_would_make(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight a machine, and once each: which names are taken, which disks the user has, the base is let go."""
    real, asked = VBoxManage._run, []

    def counted(self: VBoxManage, argv: tuple[str | Path, ...], **limits: Any) -> Result:
        asked.append(argv[0])
        return real(self, argv, **limits)

    monkeypatch.setattr(VBoxManage, "_run", counted)
    trial.define()
    trial.provider.bases.let_go()
    assert len(asked) == 3 * 8 + 3, asked


def test_a_machine_of_the_users_with_our_name_stops_us_and_stays(
    trial: Trial, vboxmanage: VBoxManage, tmp_path: Path
) -> None:
    vboxmanage.change("createvm", "--name", "trap-server1", "--basefolder", tmp_path / "users", "--register")
    try:
        with pytest.raises(MachineError, match="trap-server1 that this lab did not make"):
            trial.define()
        trial.provider.destroy_all()
        assert "trap-server1" in trial.provider.registry.names().values()
    finally:
        vboxmanage.change("unregistervm", "trap-server1", "--delete")


def test_a_disk_that_the_user_attached_is_not_deleted(trial: Trial, vboxmanage: VBoxManage, tmp_path: Path) -> None:
    trial.define()
    disk = tmp_path / "users.vdi"
    vboxmanage.change("createmedium", "disk", "--filename", disk, "--size", "4")
    place = ("--storagectl", "disks", "--port", "1", "--type", "hdd")
    vboxmanage.change("storageattach", "trap-server1", *place, "--medium", disk)
    trial.provider.destroy_all()
    assert disk.is_file()


def test_the_base_of_linked_clones_outlives_its_children(virtualbox: dict[str, Any], tmp_path: Path) -> None:
    trial = Trial(Home(tmp_path / "home"), virtualbox | {"clones": "linked"})
    try:
        trial.define()
        for machine in trial.plan.machines:
            trial.provider.destroy(machine.name)
        trial.define()  # from the base that is still there
        assert len(trial.provider.status()) == 3
    finally:
        trial.provider.destroy_all()
    assert list(trial.provider.residue()) == []


def test_a_machine_may_have_the_name_of_the_base_of_linked_clones(virtualbox: dict[str, Any], tmp_path: Path) -> None:
    trial = Trial(Home(tmp_path / "home"), virtualbox | {"clones": "linked"})
    (machine, *_) = trial.plan.machines
    try:
        trial.provider.create(trial.plan, replace(machine, name="base-disk"))
        assert [seen.name for seen in trial.provider.status()] == ["base-disk"]
    finally:
        trial.provider.destroy_all()
    assert list(trial.provider.residue()) == []


def test_a_machine_that_was_removed_by_hand_is_not_awake(trial: Trial, vboxmanage: VBoxManage) -> None:
    trial.define()
    vboxmanage.change("unregistervm", "trap-server1")
    assert not trial.provider.is_awake("server1")
    assert "server1" not in {machine.name for machine in trial.provider.status()}


def test_a_folder_that_was_deleted_by_hand_leaves_nothing_in_the_registry(trial: Trial) -> None:
    trial.define()
    remove_tree(trial.provider.lab.path)
    userland.end_services(os.environ["VBOX_IPC_SOCKETID"])  # a service that starts now can't read their settings
    assert len([left for left in trial.provider.residue() if left.startswith("machine")]) == 3
    trial.provider.destroy_all()
    assert list(trial.provider.residue()) == []


def test_what_was_cut_off_in_the_middle_is_made_anew(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    real, left = VBoxManage.change, [0]

    def cut(self: VBoxManage, *argv: str | Path, timeout_s: float = 120.0) -> str:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return real(self, *argv, timeout_s=timeout_s)

    for calls in range(8):
        left[0] = calls
        with monkeypatch.context() as patched:
            patched.setattr(VBoxManage, "change", cut)
            with pytest.raises(KeyboardInterrupt):
                trial.provider.create(trial.plan, trial.plan.machine("server1"))
    trial.define()
    assert len(trial.provider.status()) == 3


def test_a_base_that_was_replaced_under_its_path_is_cloned(vboxmanage: VBoxManage, tmp_path: Path) -> None:
    base, new, target = (tmp_path / name for name in ("base.vdi", "new.vdi", "clone.vdi"))
    vboxmanage.change(
        "createmedium", "disk", "--filename", base, "--size", "4"
    )  # VirtualBox has it in mind from now on
    vboxmanage.change("createmedium", "disk", "--filename", new, "--size", "4")
    vboxmanage.change("closemedium", "disk", new)
    new.rename(base)
    userland.end_services(os.environ["VBOX_IPC_SOCKETID"])
    bases = media.Bases(vboxmanage, tmp_path / "none")
    bases.full_clone(base, target)
    bases.let_go()
    assert target.is_file()
    vboxmanage.change("closemedium", "disk", target)
    assert base not in [medium.location for medium in media.media(vboxmanage)]


def test_a_disk_in_use_by_a_users_machine_is_cloned_and_stays_where_it_is(
    virtualbox: dict[str, Any], vboxmanage: VBoxManage, tmp_path: Path, users: str
) -> None:
    del users  # the fixture looks whether the machine is as it was
    disk = tmp_path / "users/own.vdi"
    trial = Trial(Home(tmp_path / "home"), virtualbox | {"image": str(disk)})
    try:
        trial.define()
        trial.provider.bases.let_go()
        assert disk in [medium.location for medium in media.media(vboxmanage)]
    finally:
        trial.provider.destroy_all()
    assert list(trial.provider.residue()) == []


def test_calls_from_many_processes_wait_for_each_other(vboxmanage: VBoxManage, tmp_path: Path) -> None:
    code = """
import sys
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage
for n in range(6):
    name = f"crowd-{sys.argv[1]}-{n}"
    VBoxManage().change("createvm", "--name", name, "--basefolder", sys.argv[2], "--register")
    VBoxManage().change("modifyvm", name, "--memory", "64")
    VBoxManage().change("unregistervm", name, "--delete")
"""
    words = [sys.executable, "-c", code]
    callers = [subprocess.Popen([*words, str(n), tmp_path], stderr=subprocess.PIPE) for n in range(8)]
    for caller in callers:
        said = caller.communicate(timeout=300)[1]
        assert caller.returncode == 0, said.decode()
    assert "crowd" not in vboxmanage.ask("list", "vms")


def test_a_service_that_is_killed_is_told_or_survived_and_the_next_call_works(trial: Trial) -> None:
    trial.define()
    socket_id, over = os.environ["VBOX_IPC_SOCKETID"], threading.Event()

    def kill() -> None:
        while not over.wait(0.3):
            for entry in Path("/proc").glob("[0-9]*"):
                try:
                    ours = f"VBOX_IPC_SOCKETID={socket_id}".encode() in (entry / "environ").read_bytes()
                    if ours and (entry / "comm").read_text().strip() == "VBoxSVC":
                        os.kill(int(entry.name), signal.SIGKILL)
                except OSError:
                    continue

    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill)
        try:
            for _ in range(3):
                try:
                    trial.provider.status()
                except MachineError as error:
                    assert error.resolution  # noqa: PT017  either answer is right: in our words, or in time
        finally:
            over.set()
        killing.result()
    assert len(trial.provider.status()) == 3


def test_no_room_for_a_clone_is_told_and_nothing_is_left(
    virtualbox: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del virtualbox
    base, small = tmp_path / "random.vdi", tmp_path / "small"
    (tmp_path / "raw").write_bytes(os.urandom(8 << 20))
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=4M", "none", small)
    monkeypatch.setenv("VBOX_IPC_SOCKETID", "labbuilder-small")  # a service that starts now sees the small disk
    monkeypatch.setenv("VBOX_USER_HOME", str(tmp_path / "registry"))
    vboxmanage = VBoxManage()
    bases = media.Bases(vboxmanage, tmp_path)
    try:
        vboxmanage.change("convertfromraw", tmp_path / "raw", base)
        vboxmanage.ask("list", "hdds")
        with pytest.raises(HostError, match="no room for a disk"):
            bases.full_clone(base, small / "clone.vdi")
        bases.let_go()
        assert list(small.iterdir()) == []
        assert not [medium for medium in media.media(vboxmanage) if medium.location.is_relative_to(tmp_path)]
    finally:
        userland.end_services("labbuilder-small")
        run("umount", small)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"image": "/no-such.vdi"}, "can't be read"),
        ({"image": __file__}, "no disk of a known format"),
        ({"bridged": "no-such0"}, "(?s)can't bridge to no-such0.*VirtualBox can bridge to:"),
        ({"image": "built"}, "a tool to build disks is not installed"),
    ],
)
def test_what_can_never_come_up_makes_no_lab(
    virtualbox: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], told: str
) -> None:
    monkeypatch.setattr(host, "DRIVER", Path("/dev/null"))
    monkeypatch.setattr(built, "_TOOLS", (*built._TOOLS, "no-such-tool"))
    lab = Lab("never", home=Home(tmp_path)).add_server().add_client()
    with pytest.raises(HostError, match=told):
        lab.set(provider="virtualbox", virtualbox=virtualbox | settings).up()
    assert not Home(tmp_path).lab("never").path.exists()


def test_without_vt_x_the_start_says_what_is_missing(trial: Trial) -> None:
    if shutil.which("VBoxManage") == "/usr/bin/VBoxManage":
        pytest.fail("this asks the userland alone")
    trial.define()
    with pytest.raises(HostError, match="kernel module is not there"):
        trial.provider.start("server1")
    assert {m.state for m in trial.provider.status()} == {MachineState.STOPPED}


def test_without_vboxmanage_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ProviderUnavailableError, match="not installed"):
        VBoxManage().ask("list", "vms")


def test_the_doctor_looks_at_the_real_one(vboxmanage: VBoxManage, tmp_path: Path) -> None:
    def found() -> dict[str, Finding]:
        return {finding.name: finding for finding in host.findings(Home(tmp_path))}

    seen = found()
    assert seen["VirtualBox"].ok
    assert seen["kernel module"].ok is host.DRIVER.exists()
    assert seen["DHCP servers"].ok
    words = ("--network=labbuilder-x", "--server-ip=192.168.1.9", "--netmask=255.255.255.0")
    span = ("--lower-ip=192.168.1.100", "--upper-ip=192.168.1.110", "--enable")
    vboxmanage.change("dhcpserver", "add", *words, *span)
    try:
        seen = found()
        assert not seen["DHCP servers"].ok
        assert "VBoxManage dhcpserver remove --network=labbuilder-x" in seen["DHCP servers"].resolution
    finally:
        vboxmanage.change("dhcpserver", "remove", "--network=labbuilder-x")


def test_who_is_not_root_and_may_not_make_a_namespace_is_told_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody is a real user without ids of his own to give away."""
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    monkeypatch.setattr(built, "_IN_NAMESPACE", (*nobody, *built._IN_NAMESPACE))
    finding = host._builder()
    assert not finding.ok
    assert "only root can build disks here" in finding.seen
    assert "unshare" in finding.seen
    assert "--add-subuids" in finding.resolution
    with pytest.raises(HostError, match="only root can build disks"):
        built.build_raw(Lab("n").add_server().plan().image, tmp_path / "disk.raw", lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_pyvbox_gives_the_same_answers_as_vboxmanage(trial: Trial, users: str, tmp_path: Path) -> None:
    """Machines that are off, cut from the net, snapshot twice, or lost: nothing starts here."""
    del users
    trial.define()
    vboxmanage = trial.provider.vboxmanage
    vboxmanage.change("snapshot", "trap-server1", "take", "one")
    vboxmanage.change("snapshot", "trap-server1", "take", "two")
    vboxmanage.change("modifyvm", "trap-client1", "--cable-connected1", "off")
    vboxmanage.change("createvm", "--name", "lost", "--basefolder", tmp_path / "lost", "--register")
    lost = next(uuid for uuid, name in trial.provider.registry.names().items() if name == "lost")
    registry = {name: os.environ[name] for name in ("VBOX_USER_HOME", "VBOX_IPC_SOCKETID")}
    userland.end_services(registry["VBOX_IPC_SOCKETID"])  # a service that starts now finds its settings gone
    remove_tree(tmp_path / "lost")
    shutil.copytree(Path(labbuilder.__file__).parent, tmp_path / "python/labbuilder")  # the tree sees /tmp
    shutil.copy(Path(__file__).with_name("observe.py"), tmp_path / "python")
    try:
        visible = registry | {"PYTHONPATH": f"{tmp_path}/python:/opt/observer", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        said = run(userland.build() / "vbox-python", tmp_path / "python/observe.py", env=visible, timeout_s=120)
        found = json.loads(said.stdout)
        assert "Traceback" not in said.stderr
        assert found["pyvbox"] == found["vboxmanage"]
        assert found["chosen"] == "PyvboxRegistry"
        states = {machine["name"]: machine["state"] for machine in found["pyvbox"]["machines"]}
        assert states["<inaccessible>"] == "inaccessible"
        assert states["trap-server1"] == "poweroff"
        assert ["one", "two"] in [machine["snapshots"] for machine in found["pyvbox"]["machines"]]
    finally:
        vboxmanage.change("unregistervm", lost)
