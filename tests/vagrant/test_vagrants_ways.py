"""Vagrant's own ways, on real Vagrant and VirtualBox's real userland: everything but the start of a machine."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import vagrantland

from labbuilder.errors import HostError, LabError, MachineError, ProviderUnavailableError, SpecError
from labbuilder.host.run import run
from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.plan import Plan
from labbuilder.providers.base import MachineState
from labbuilder.providers.vagrant import host
from labbuilder.providers.vagrant.provider import VagrantProvider
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]
MARK = "5eed1e55"
# Ruby without Vagrant: every word of Vagrant's is a word of no effect, and the constants are what the Vagrantfile says.
READ_BACK = """
require "json"
class Mute < BasicObject
  def method_missing(*) = self
  def respond_to_missing?(*) = true
end
module Vagrant
  def self.method_missing(*) = Mute.new
  def self.plugin(*) = Class.new { def self.name(*) = super(); def self.action_hook(*) = nil }
end
load ARGV[0]
puts JSON.dump(MACHINES)
"""


class Trial:
    """A lab that is defined and never starts."""

    def __init__(self, home: Home, settings: dict[str, Any], name: str = "trap", **more: Any) -> None:
        self.lab = home.lab(name)
        self.lab.path.mkdir(parents=True)
        self.described = Lab(name, home=home).add_server().add_server().add_client()
        self.described.set(provider="vagrant", virtualbox=settings, **more)
        self.plan: Plan = self.described.plan()
        self.provider = VagrantProvider(home, self.lab, MARK)

    def define(self, *names: str) -> None:
        self.provider.ensure_image(self.plan)
        for name in names:
            self.provider.create(self.plan, self.plan.machine(name))

    def vagrant(self, *words: str, folder: Path | None = None) -> str:
        """As its user runs it."""
        done = subprocess.run(
            ["vagrant", *words], cwd=folder or self.lab.path, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The box is packed once."""
    return tmp_path_factory.mktemp("images")


@pytest.fixture
def own(tmp_path: Path, images: Path) -> Home:
    """A home without a lab."""
    home = Home(tmp_path / "a home")
    home.path.mkdir()
    home.images.symlink_to(images)
    return home


@pytest.fixture
def trial(vagrant: dict[str, Any], own: Home) -> Iterator[Trial]:
    found = Trial(own, vagrant)
    yield found
    found.provider.destroy_all()
    assert list(found.provider.residue()) == []


def test_the_hardware_is_the_plans_and_vagrant_itself_agrees(trial: Trial) -> None:
    trial.define("server1")
    (known,) = trial.provider.control.known()
    first, second, third = trial.provider.registry.machine(known.uuid).adapters
    server = trial.plan.machine("server1")
    assert (first.attachment, first.network) == ("intnet", f"labbuilder-trap-{MARK}")
    assert first.mac == server.nic("internal").mac.replace(":", "").upper()
    assert second.mac == server.nic("bridged").mac.replace(":", "").upper()
    assert (second.attachment, third.attachment) == ("nat", "nat")
    seen = trial.provider.vboxmanage.ask("showvminfo", known.uuid, "--machinereadable")
    assert f'Forwarding(0)="ssh,tcp,127.0.0.1,{trial.provider.endpoint("server1").port},,22"' in seen
    for line in ('chipset="piix3"', 'nictype3="virtio"', "memory=512", 'uartmode1="file,', "SharedFolderName"):
        assert (line in seen) is (line != "SharedFolderName")
    assert '"disks-1-0"="' + str(trial.lab.machine("server1") / "seed.iso") in seen
    assert "server1                   poweroff" in trial.vagrant("status")
    trial.vagrant("validate")


def test_ruby_reads_the_machines_back(trial: Trial) -> None:
    trial.define("client1")
    told = json.loads(run("ruby", "-e", READ_BACK, trial.lab.path / "Vagrantfile").stdout)
    assert list(told) == ["server1", "server2", "client1"]
    assert told["client1"]["internal"] == trial.plan.machine("client1").nic("internal").mac.replace(":", "").upper()


def test_who_destroys_by_hand_is_seen_and_the_machine_is_made_again(trial: Trial) -> None:
    trial.define("server1")
    trial.vagrant("destroy", "-f", "server1")
    assert trial.provider.status() == ()
    with pytest.raises(MachineError, match="server1 was never made"):
        trial.provider.start("server1")
    trial.define("server1")
    (seen,) = trial.provider.status()
    assert seen.state is MachineState.STOPPED


def test_a_machine_that_the_user_made_with_the_vagrantfile_is_one_of_the_lab(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.define("server1")
    monkeypatch.setenv("LABBUILDER_UP_TO", "defined")  # nothing starts here
    trial.vagrant("up", "client1")
    assert {machine.name for machine in trial.provider.status()} == {"client1", "server1"}
    assert trial.provider.endpoint("server1").port != 0
    trial.provider.destroy_all()
    assert not {n for n in trial.provider.registry.names().values() if n.startswith("trap-")}


def test_an_import_that_was_cut_off_leaves_nothing_and_a_users_machine_stays(trial: Trial, tmp_path: Path) -> None:
    trial.define("server1")
    change, names = trial.provider.vboxmanage.change, trial.provider.registry.names
    users, cut_off = "users-own_1700000000000_1", "labbuilder-box_1795557278123_4711"
    change("createvm", "--name", users, "--basefolder", tmp_path / "users", "--register")
    try:
        note = trial.provider.folder.importing(names())
        note.__enter__()
        change("createvm", "--name", cut_off, "--basefolder", tmp_path / "cut", "--register")
        assert cut_off in names().values()
        assert len([what for what in trial.provider.residue() if what.startswith("machine")]) == 2
        trial.define("client1")
        assert cut_off not in names().values()
        assert users in names().values()
        assert not (tmp_path / "cut" / cut_off).exists()
    finally:
        change("unregistervm", users, "--delete")


@pytest.mark.parametrize("saved", [False, True])
def test_a_disk_that_the_user_attached_is_not_deleted(trial: Trial, tmp_path: Path, *, saved: bool) -> None:
    trial.define("server1")
    disk, change = tmp_path / "users.vdi", trial.provider.vboxmanage.change
    change("createmedium", "disk", "--filename", disk, "--size", "4")
    change("storagectl", "trap-server1", "--name", "disks", "--portcount", "3")
    place = ("--storagectl", "disks", "--port", "2", "--device", "0", "--type", "hdd")
    change("storageattach", "trap-server1", *place, "--medium", disk)
    if saved:  # VirtualBox detaches nothing from a machine that has a kept memory
        (tmp_path / "state.sav").touch()
        change("adoptstate", "trap-server1", tmp_path / "state.sav")
    trial.provider.destroy("server1")
    assert disk.is_file()
    assert trial.provider.control.known() == []
    change("closemedium", "disk", disk)


def test_a_snapshot_of_each_machine_is_kept_gone_back_to_and_forgotten(trial: Trial) -> None:
    trial.define("server1")
    trial.provider.save_snapshot("kept")
    (known,) = trial.provider.control.known()
    assert trial.provider.registry.machine(known.uuid).snapshots == ("kept",)
    trial.provider.restore_snapshot("kept")
    for _ in range(2):
        trial.provider.delete_snapshot("kept")
    assert trial.provider.registry.machine(known.uuid).snapshots == ()


def test_a_machine_of_the_users_with_our_name_stops_us_and_stays(trial: Trial, tmp_path: Path) -> None:
    change = trial.provider.vboxmanage.change
    change("createvm", "--name", "trap-server1", "--basefolder", tmp_path / "users", "--register")
    try:
        with pytest.raises(MachineError, match="trap-server1 that this lab did not make"):
            trial.define("server1")
        trial.provider.destroy_all()
        assert "trap-server1" in trial.provider.registry.names().values()
    finally:
        change("unregistervm", "trap-server1", "--delete")


def test_a_vagrantfile_that_was_changed_by_hand_is_not_overwritten(trial: Trial) -> None:
    trial.define("server1")
    mine = trial.lab.path / "Vagrantfile"
    mine.write_text(mine.read_text() + "# mine\n")
    trial.provider.destroy("server1")
    with pytest.raises(HostError, match="is not as labbuilder wrote it"):
        trial.define("server1")
    assert mine.read_text().endswith("# mine\n")


def test_a_vagrantfile_that_is_broken_is_told_and_down_works_without_it(trial: Trial) -> None:
    trial.define("server1")
    (trial.lab.path / "Vagrantfile").write_text("Vagrant.configure('2') do |config|\n")
    with pytest.raises(HostError, match="Vagrant can't use the lab's Vagrantfile"):
        trial.provider.save_snapshot("never")
    (machine,) = trial.provider.control.known()
    folder = trial.provider.registry.machine(machine.uuid).settings
    trial.provider.destroy_all()
    assert list(trial.provider.residue()) == []
    assert folder is not None
    assert not folder.parent.exists()


def test_no_vagrant_is_told_and_down_works_without_it(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    trial.define("server1")
    tools = trial.lab.path / "tools"
    tools.mkdir()
    for tool in ("VBoxManage", "sh", "sed", "unshare", "mount", "chroot"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", str(tools))
        with pytest.raises(ProviderUnavailableError, match="Vagrant is not installed") as caught:
            trial.provider.preflight(trial.plan)
        assert "apt install vagrant" in (caught.value.resolution or "")
        trial.provider.destroy_all()
        assert list(trial.provider.residue()) == []


def test_a_box_that_is_not_there_is_told(vagrant: dict[str, Any], own: Home, tmp_path: Path) -> None:
    box = {"box": "nobody/nothing", "box_url": (tmp_path / "nothing.box").as_uri()}
    trial = Trial(own, vagrant, vagrant=box)
    with pytest.raises(HostError, match="there is no such box"):
        trial.define("server1")
    trial.provider.destroy_all()
    assert list(trial.provider.residue()) == []


def test_a_box_that_is_broken_is_told(vagrant: dict[str, Any], own: Home, tmp_path: Path) -> None:
    (tmp_path / "broken.box").write_bytes(b"no box at all" * 100)
    box = {"box": "me/broken", "box_url": (tmp_path / "broken.box").as_uri()}
    trial = Trial(own, vagrant, vagrant=box)
    with pytest.raises(HostError, match="the box is broken"):
        trial.define("server1")
    trial.provider.destroy_all()
    assert list(trial.provider.residue()) == []


def test_our_box_whose_bytes_changed_is_refused_by_its_sum(
    vagrant: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial(Home(tmp_path / "home"), vagrant)
    trial.provider.boxes.ensure_file(trial.plan)
    packed = Path(trial.provider.boxes.named(trial.plan).file or "")
    with open(packed, "ab") as file:
        file.write(b"more")
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path / "empty"))
    with pytest.raises(HostError, match="the box is broken"):
        trial.provider.ensure_image(trial.plan)


def test_a_box_of_the_users_has_its_own_slots_and_a_script(vagrant: dict[str, Any], own: Home, tmp_path: Path) -> None:
    """A box that asks for an address on its first card alone, as Vagrant's boxes do."""
    packs = Trial(own, vagrant, "packs")
    packs.provider.boxes.ensure_file(packs.plan)
    file = Path(packs.provider.boxes.named(packs.plan).file or "")
    trial = Trial(own, vagrant, vagrant={"box": "me/debian", "box_url": file.as_uri()})
    try:
        trial.define("server1")
        (known,) = trial.provider.control.known()
        first, second, _ = trial.provider.registry.machine(known.uuid).adapters
        assert (first.attachment, second.attachment) == ("nat", "intnet")
        assert second.mac == trial.plan.machine("server1").nic("internal").mac.replace(":", "").upper()
        trial.provider.set_link("server1", "internal", up=False)
        (machine,) = trial.provider.status()
        assert machine.cut_links == ("internal",)
        assert (trial.lab.machine("server1") / "prepare.sh").stat().st_mode & 0o777 == 0o600
    finally:
        trial.provider.destroy_all()
    assert list(trial.provider.residue()) == []


def test_a_virtualbox_that_this_vagrant_does_not_know_is_told_by_both(
    vagrant: dict[str, Any], own: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = vagrantland.shim(tmp_path / "bin", "7.2.22r170000")
    trial = Trial(own, vagrant)
    trial.provider.boxes.ensure_file(trial.plan)
    monkeypatch.setenv("PATH", vagrantland.on_path(new))
    monkeypatch.setattr("labbuilder.providers.virtualbox.host.DRIVER", Path("/dev/null"))
    with pytest.raises(HostError, match=r"Vagrant 2\.3\.4 does not know VirtualBox 7\.2\.22"):
        trial.provider.preflight(trial.plan)
    with pytest.raises(HostError, match="this Vagrant does not know this VirtualBox"):
        trial.define("server1")
    told = {finding.name: finding for finding in host.findings(trial.described._home)}
    assert told["Vagrant"].ok
    assert not told["versions"].ok
    assert "Vagrant 2.4.9" in told["versions"].resolution


def test_a_folder_is_handed_out_and_vagrant_can_use_it(vagrant: dict[str, Any], own: Home, tmp_path: Path) -> None:
    lab = Lab("class", home=own).add_server().add_server().add_client()
    lab.set(virtualbox=vagrant)
    folder = tmp_path / "for students"
    written = {path.relative_to(folder).as_posix() for path in lab.hand_out(folder)}
    assert {
        "Vagrantfile",
        "lab.box",
        "keys/user",
        "machines/client1/seed.iso",
        "machines/client1/lan-boot.rom",
        "machines/server2/provision.sh",
    } <= written
    env = os.environ | {"VAGRANT_HOME": str(tmp_path / "students")}  # who gets it has never seen the box
    for words in (["validate"], ["status"], ["box", "add", "--name", "class", "lab.box"]):
        done = subprocess.run(["vagrant", *words], cwd=folder, env=env, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    for script in folder.glob("machines/*/provision.sh"):
        run("sh", "-n", script)


def test_a_standalone_vagrantfile_imports_its_own_box_and_stops_where_nothing_can_start(
    vagrant: dict[str, Any], own: Home, tmp_path: Path
) -> None:
    lab = Lab("class", home=own).add_server().add_client().set(virtualbox=vagrant)
    folder = tmp_path / "class"
    lab.hand_out(folder)
    env = os.environ | {"VAGRANT_HOME": str(tmp_path / "students")}  # who gets it has never seen the box
    words = ["vagrant", "up", "client1"]
    up = subprocess.run(words, cwd=folder, env=env, text=True, capture_output=True, check=False)
    try:
        assert "Calculating and comparing box checksum" in up.stdout
        assert "Booting VM" in up.stdout  # all that comes before was done
        assert '"startvm"' in up.stderr
    finally:
        subprocess.run(["vagrant", "destroy", "-f"], cwd=folder, env=env, check=True, capture_output=True)
        VBoxManage().change("closemedium", "dvd", folder / "machines/client1/seed.iso")


@pytest.mark.parametrize(
    ("there", "told"), [("# mine\n", "labbuilder did not write it"), (None, "the lab class, mark")]
)
def test_a_vagrantfile_that_is_there_is_never_overwritten(
    vagrant: dict[str, Any], own: Home, tmp_path: Path, there: str | None, told: str
) -> None:
    folder = tmp_path / "folder"
    lab = Lab("class", home=own).add_server().set(virtualbox=vagrant)
    if there is None:
        lab.hand_out(folder)
    else:
        folder.mkdir()
        (folder / "Vagrantfile").write_text(there)
    before = (folder / "Vagrantfile").read_text()
    other = Lab("other", home=own).add_server().set(virtualbox=vagrant)
    with pytest.raises(SpecError, match="has a Vagrantfile already") as caught:
        other.hand_out(folder)
    assert told in (caught.value.details or "")
    assert (folder / "Vagrantfile").read_text() == before


def test_up_says_what_vagrant_can_not_do_here_and_down_leaves_nothing(
    vagrant: dict[str, Any], own: Home, tmp_path: Path
) -> None:
    """The kernel module is not here, so `up` ends before it makes anything."""
    lab = Lab("nowhere", home=own).add_server().set(provider="vagrant", virtualbox=vagrant)
    with pytest.raises(LabError, match="kernel module"):
        lab.up()
    lab.down()
    assert not {name for name in VBoxManage().ask("list", "vms").splitlines() if "nowhere-" in name}


def test_the_commands_of_the_page_do_what_it_says(
    vagrant: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no machine can start, doctor and up say so; what is handed out is written all the same."""
    statuses = {"doctor": 3, "up": 3, "render": 0}
    spec = Lab("page").add_server().add_server().add_client().set(virtualbox=vagrant).to_yaml()
    (tmp_path / "lab.yaml").write_text(spec)
    env = os.environ | {"LABBUILDER_HOME": str(tmp_path / "home")}
    page = (Path(__file__).parents[2] / "docs/vagrant.md").read_text()
    commands = re.findall(r"^    (labbuilder .*)$", page, re.MULTILINE)
    assert {command.split()[1] for command in commands} == set(statuses)
    for command in commands:
        words = [sys.executable, "-m", *shlex.split(command)]
        done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == statuses[command.split()[1]], f"{command}\n{done.stdout}\n{done.stderr}"
    assert (tmp_path / "class/Vagrantfile").is_file()
