"""What a machine is like now, against its plan: one round trip, nothing changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from labbuilder.model.lab import MachinePlan
from labbuilder.model.step import Step
from labbuilder.provisioning.files import FileDiff, differences, question, shown
from labbuilder.provisioning.script import STAMPS, stamp
from labbuilder.provisioning.secrets import LabSecrets
from labbuilder.ssh.shell import Shell


@dataclass(frozen=True)
class Observation:
    """What differs in one machine.

    Attributes:
        files: Paths of files that are not as planned.
        services: Names of services that must be applied, with the reason.
        again: It was configured before.
    """

    files: frozenset[str]
    services: dict[str, str]
    again: bool = True


def observe(machine: MachinePlan, shell: Shell, anew: Mapping[str, str] = MappingProxyType({})) -> Observation:
    """Compare every file, stamp and live state of the machine with its plan, whose secrets are filled in.

    Args:
        machine: Its plan.
        shell: The way into it.
        anew: Steps that are not in effect whatever they say of themselves, with the reason.
    """
    look = f"{question(machine, texts=False)}; [ -d {STAMPS} ]"
    looked, *held = shell.run_many([look, *map(_in_effect, machine.steps)])
    differing = frozenset(differences(machine, looked.stdout))
    services = {}
    for service, result in zip(machine.steps, held, strict=True):
        if any(file.path in differing for file in (*service.files, *service.seeds, *service.own)):
            services[service.name] = "file differs"
        elif service.name in anew or not result.ok:
            services[service.name] = anew.get(service.name, "not in effect")
    for step in machine.steps:  # what only waits holds no longer when what it waits for is applied
        if step.awaits and {f"{machine.name}:{name}" for name in services} & {*step.after}:
            services.setdefault(step.name, "to be awaited again")
    return Observation(differing, services, again=bool(anew) or looked.ok)


def _in_effect(service: Step) -> str:
    """Shell that asks the stamp first: in a new machine nothing else is worth asking."""
    return f'read -r stamp <{STAMPS}/{service.name} && [ "$stamp" = {stamp(service)} ] && {{ {service.holds}\n}}'


def difference(machine: MachinePlan, shell: Shell, secrets: LabSecrets) -> tuple[tuple[FileDiff, ...], tuple[str, ...]]:
    """Return the files that differ, as unified diffs, and the services that are not in effect."""
    filled = secrets.filled_in(machine)
    seen = observe(filled, shell)
    found = differences(filled, shell.run(question(filled)).stdout) if seen.files else {}
    return shown(filled, found, machine.secret_paths), tuple(seen.services)
