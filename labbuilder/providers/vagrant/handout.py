"""A folder with which Vagrant alone builds and configures a lab."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from labbuilder.errors import SpecError
from labbuilder.host.store import Home, LabDir, write_atomic
from labbuilder.model.lab import Plan
from labbuilder.providers.vagrant.boxes import BOX, Boxes
from labbuilder.providers.vagrant.prepare import write_identities
from labbuilder.providers.vagrant.vagrantfile import vagrantfile
from labbuilder.providers.virtualbox.observer import open_registry
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage
from labbuilder.spec.providers import VirtualBox

SCRIPT = "provision.sh"


def write(plan: Plan, home: Home, folder: Path, scripts: Mapping[str, str]) -> None:
    """Write the Vagrantfile and all that it needs.

    Args:
        plan: The lab, its machines in the order in which Vagrant makes them.
        home: Where boxes are kept.
        folder: New or empty.
        scripts: Machine to the script that configures it.

    Raises:
        SpecError: There is something in the folder.
        HostError: The box can't be packed here.
    """
    _refuse_what_is_there(folder)
    vboxmanage = VBoxManage()
    boxes = Boxes(home, vboxmanage, open_registry(vboxmanage))
    boxes.preflight(plan)
    boxes.ensure_file(plan)
    folder.mkdir(parents=True, exist_ok=True)
    box = boxes.named(plan)
    if box.file is not None:
        shutil.copyfile(box.file, folder / BOX)
        box = replace(box, file=BOX)
    mark, bridge = plan.digest[:8], plan.section(VirtualBox).bridged
    text = vagrantfile(plan, box, mark=mark, bridge=bridge, standalone=True)
    (folder / "Vagrantfile").write_text(text, encoding="utf-8")
    lab = LabDir(plan.lab, folder)
    write_identities(plan, plan.machines, lab, mark, box)
    for machine, script in scripts.items():
        write_atomic(lab.machine(machine) / SCRIPT, script, mode=0o700)


def _refuse_what_is_there(folder: Path) -> None:
    there = folder / "Vagrantfile"
    if there.exists():
        first = next((line for line in there.read_text(errors="replace").splitlines() if "labbuilder" in line), "")
        raise SpecError(
            brief=f"{folder} has a Vagrantfile already; it stays as it is",
            details=first.lstrip("# ") or "labbuilder did not write it.",
            resolution="name a new or empty folder: each lab has its own",
        )
    if folder.exists() and any(folder.iterdir()):
        raise SpecError(brief=f"{folder} is not empty", resolution="name a new or empty folder")
