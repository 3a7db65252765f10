"""How a machine learns who it is: from a CD in our own box, by a script in a box of the user's."""

from __future__ import annotations

from collections.abc import Sequence

from labbuilder.host.assets import IMAGE_FILES
from labbuilder.host.render import render
from labbuilder.host.store import LabDir, write_atomic
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.model.step import RenderedFile
from labbuilder.providers.disks.account import account_files, account_script
from labbuilder.providers.vagrant.vagrantfile import Box
from labbuilder.providers.virtualbox.images import SEED, identity, write_for_boot
from labbuilder.ssh.keys import LabKeys, ensure_keys

PREPARE = "prepare.sh"
_END = "END-OF-FILE"
_OURS_ALONE = (
    "lab-ssh.socket",
    "lab-ssh@.service",
    "lab_sshd_config",
    "lab_sshd_account",
)  # the box's own sshd stays: Vagrant uses it
_HOST_KEY = """\
# Written by labbuilder: the machine shows the key that labbuilder knows.
HostKey /etc/ssh/lab_host_ed25519
"""
_LOOPBACK = """\
# Written by labbuilder: the lab's cards are up when they are configured, and no other.
auto lo
iface lo inet loopback
"""


def write_identities(plan: Plan, machines: Sequence[MachinePlan], lab: LabDir, mark: str, box: Box) -> None:
    """Write what each machine learns from, into its folder, unless it is there, as are the lab's keys."""
    keys = ensure_keys(lab, [machine.name for machine in machines])
    for machine in machines:
        folder = lab.machine(machine.name)
        folder.mkdir(parents=True, exist_ok=True)
        if box.own and not (folder / SEED).exists():
            write_for_boot(folder, machine, keys, mark)
        elif not box.own:
            write_atomic(folder / PREPARE, prepare_script(plan, machine, keys, mark), mode=0o600)


def prepare_script(plan: Plan, machine: MachinePlan, keys: LabKeys, mark: str) -> str:
    """The text, with the machine's own private host key in it."""
    networkd = (IMAGE_FILES / "disk/networkd.conf").read_text(encoding="utf-8")
    files = (
        *(file for file in plan.image.files if not file.path.endswith(_OURS_ALONE)),
        *identity(machine, keys, mark).files,
        *account_files(),
        RenderedFile("/etc/systemd/networkd.conf.d/labbuilder.conf", networkd),
        RenderedFile("/etc/ssh/sshd_config.d/labbuilder-host-key.conf", _HOST_KEY),
        RenderedFile("/etc/network/interfaces", _LOOPBACK),
    )
    return render(
        "prepare.sh",
        lab=plan.lab,
        machine=machine.name,
        packages=plan.image.packages,
        account=account_script(),
        units_off=plan.image.units_off,
        files=files,
        end=_END,
    )
