"""A folder with which a provider alone builds and configures the lab, on a host that has no labbuilder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from labbuilder.host.render import render
from labbuilder.host.store import Home
from labbuilder.plan import MachinePlan, Plan, Step, build_plan
from labbuilder.providers import registry
from labbuilder.provisioning import LabSecrets
from labbuilder.provisioning.script import NEW, STAMPS, service_script, stamp
from labbuilder.spec.models import LabSpec

_END = "END-OF-FILE"


def hand_out(spec: LabSpec, home: Home, folder: Path) -> list[Path]:
    """Write all that the provider needs; return the paths.

    Args:
        spec: The lab; its provider is of no matter.
        home: Where images are kept.
        folder: New or empty.

    Raises:
        SpecError: There is something in the folder.
        HostError: The image can't be made here.
    """
    plan = build_plan(spec.model_copy(update={"provider": registry.hand_out_provider()}))
    order = up_order(plan.machines)
    before: set[str] = set()
    scripts: dict[str, str] = {}
    with TemporaryDirectory() as scratch:  # the scripts alone have the lab's secrets
        lab_secrets = LabSecrets(Path(scratch))
        for machine in order:
            scripts[machine.name] = provision_script(plan, lab_secrets.filled_in(machine), before)
            before.add(machine.name)
    registry.hand_out(replace(plan, machines=order), home, folder, scripts)
    return sorted(path for path in folder.rglob("*") if path.is_file())


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
    return all(service.awaits or _possible(service, machine.name, done) for service in machine.steps)


def _possible(service: Step, machine: str, done: set[str]) -> bool:
    return {what.partition(":")[0] for what in service.after} <= done | {machine}


def provision_script(plan: Plan, machine: MachinePlan, before: set[str]) -> str:
    """The script that configures one machine, with the text of all its files.

    Args:
        plan: The lab.
        machine: One of its machines, with the secrets in its files.
        before: Those that are configured already when this one is.
    """
    services = [s for s in machine.steps if not s.awaits or _possible(s, machine.name, before)]
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
                "seeds": service.seeds,
                "holds": service.holds,
                "stamp": stamp(service),
                "script": service_script(service, (*service.files, *service.seeds)),
            }
            for service in services
        ],
    )
