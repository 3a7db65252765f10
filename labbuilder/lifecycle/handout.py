"""A folder with which Vagrant alone builds and configures the lab, on a host that has no labbuilder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from labbuilder.errors import SpecError
from labbuilder.host.render import render
from labbuilder.host.store import Home, LabDir, write_atomic
from labbuilder.plan import MachinePlan, Plan, Service, build_plan
from labbuilder.providers.vagrant.boxes import BOX, Boxes
from labbuilder.providers.vagrant.prepare import write_identities
from labbuilder.providers.vagrant.vagrantfile import vagrantfile
from labbuilder.providers.virtualbox.observer import open_registry
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage
from labbuilder.provisioning.script import NEW, STAMPS, service_script, stamp
from labbuilder.spec.models import LabSpec

_END = "END-OF-FILE"
SCRIPT = "provision.sh"


def hand_out(spec: LabSpec, home: Home, folder: Path) -> list[Path]:
    """Write the Vagrantfile and all that it needs; return the paths.

    Args:
        spec: The lab; its provider is of no matter.
        home: Where boxes are kept.
        folder: New or empty.

    Raises:
        SpecError: There is something in the folder.
        HostError: The box can't be packed here.
    """
    _refuse_what_is_there(folder)
    plan = build_plan(spec.model_copy(update={"provider": "vagrant"}))
    vboxmanage = VBoxManage()
    boxes = Boxes(home, vboxmanage, open_registry(vboxmanage))
    boxes.preflight(plan)
    boxes.ensure_file(plan)
    folder.mkdir(parents=True, exist_ok=True)
    box = boxes.named(plan)
    if box.file is not None:
        shutil.copyfile(box.file, folder / BOX)
        box = replace(box, file=BOX)
    order = up_order(plan.machines)
    mark = plan.digest[:8]
    text = vagrantfile(replace(plan, machines=order), box, mark=mark, bridge=plan.virtualbox.bridged, standalone=True)
    (folder / "Vagrantfile").write_text(text, encoding="utf-8")
    lab = LabDir(plan.lab, folder)
    write_identities(plan, order, lab, mark, box)
    before: set[str] = set()
    for machine in order:
        write_atomic(lab.machine(machine.name) / SCRIPT, provision_script(plan, machine, before), mode=0o755)
        before.add(machine.name)
    return sorted(path for path in folder.rglob("*") if path.is_file())


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


def up_order(machines: Sequence[MachinePlan]) -> tuple[MachinePlan, ...]:
    """The machines in an order in which each can be configured to its end before the next is there."""
    left, order = list(machines), list[MachinePlan]()
    while left:
        done = {machine.name for machine in order}
        ready = next((m for m in left if _configurable(m, done)), None)
        if ready is None:
            raise ValueError(f"services of {[m.name for m in left]} wait for each other")
        left.remove(ready)
        order.append(ready)
    return tuple(order)


def _configurable(machine: MachinePlan, done: set[str]) -> bool:
    return all(_about_others(service) or _possible(service, machine.name, done) for service in machine.services)


def _possible(service: Service, machine: str, done: set[str]) -> bool:
    return {what.partition(":")[0] for what in service.after} <= done | {machine}


def _about_others(service: Service) -> bool:
    """It waits for other machines and puts nothing into this one: the last of them does it for all."""
    return bool(service.after) and not service.files


def provision_script(plan: Plan, machine: MachinePlan, before: set[str]) -> str:
    """The script that configures one machine, with the text of all its files.

    Args:
        plan: The lab.
        machine: One of its machines.
        before: Those that are configured already when this one is.
    """
    services = [s for s in machine.services if not _about_others(s) or _possible(s, machine.name, before)]
    return render(
        "provision.sh",
        lab=plan.lab,
        machine=machine.name,
        stamps=STAMPS,
        new=NEW,
        end=_END,
        services=[
            {
                "name": service.name,
                "title": service.title,
                "files": service.files,
                "holds": service.holds,
                "stamp": stamp(service),
                "script": service_script(service, service.files),
            }
            for service in services
        ],
    )
