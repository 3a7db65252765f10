"""What is asked for, against the lab that is there: decided once, refused, or told as what would change."""

from __future__ import annotations

from dataclasses import dataclass

from labbuilder.errors import SpecError
from labbuilder.host import progress
from labbuilder.host.parallel import for_each
from labbuilder.host.store import Home, LabDir
from labbuilder.lifecycle.identity import lab_identity
from labbuilder.lifecycle.session import Session
from labbuilder.plan import MachinePlan, Plan, build_plan
from labbuilder.plan.addresses import on_the_uplink
from labbuilder.plan.load import load_spec
from labbuilder.providers.base import MachineState
from labbuilder.providers.registry import choose
from labbuilder.provisioning import FileDiff, LabSecrets, difference
from labbuilder.spec.load import spec_differences
from labbuilder.spec.models import LabSpec

Described = tuple[LabSpec, Plan]


def with_provider(spec: LabSpec, lab: LabDir) -> LabSpec:
    """Return the spec with "auto" decided: once for a lab.

    Raises:
        SpecError: The lab is elsewhere already.
    """
    identity = lab_identity(lab)
    if identity is not None:
        kind = identity[0]
        if spec.provider not in ("auto", kind):
            raise SpecError(
                brief=f"the lab {lab.name} is on {kind} already, and can't be moved to {spec.provider}",
                resolution=f"labbuilder down --lab {lab.name}, then labbuilder up; --name gives this one another name",
            )
    else:
        kind, why = choose(spec.provider)
        with progress.step("provider") as step:
            step.detail = f"{kind} ({why})"
    return spec.model_copy(update={"provider": kind})


def refuse_taken_addresses(spec: LabSpec, home: Home) -> None:
    """Raise SpecError when the lab is bridged to a real LAN on which another lab has one of its addresses."""
    lan, asked = on_the_uplink(spec)
    if lan is None:
        return
    others = (home.lab(name).spec for name in home.lab_names() if name != spec.name)
    for other in (load_spec(path) for path in others if path.exists()):
        its_lan, theirs = on_the_uplink(other)
        taken = asked & theirs
        if taken and its_lan == lan:
            raise SpecError(
                brief=f"on the real LAN {', '.join(map(str, sorted(taken)))} is taken by the lab {other.name}",
                resolution=f"give each server of its own a `bridged:` address, or labbuilder down --lab {other.name}",
            )


def another_spec(before: LabSpec, spec: LabSpec) -> SpecError:
    """Return the error for a lab that is there and was made from a spec that says something else."""
    return SpecError(
        brief=f"the lab {spec.name} is already there, made from another spec",
        details="\n".join(spec_differences(before, spec)),
        resolution=f"labbuilder up --reconfigure changes it; labbuilder down --lab {spec.name} removes it; "
        "--name gives this one another name",
    )


def outdated_machines(before: Described, after: Described) -> tuple[str, ...]:
    """Return the machines that can't become what another spec says of them: they go, with their disks.

    Raises:
        SpecError: None can; the lab must be made anew.
    """
    (_, old), (_, plan) = before, after
    if (old.image, old.upstream, old.settings) != (plan.image, plan.upstream, plan.settings):
        raise SpecError(
            brief=f"the lab {plan.lab} can't be changed in place: its image, its LAN or its hardware would differ",
            resolution=f"labbuilder down --lab {plan.lab}, then labbuilder up",
        )
    wanted = {machine.name: (machine.nics, machine.data) for machine in plan.machines}
    return tuple(m.name for m in old.machines if wanted.get(m.name) != (m.nics, m.data))


@dataclass(frozen=True)
class Difference:
    """What `up` would do.

    Attributes:
        create: Machines that don't exist, or are made anew.
        start: Machines that exist and are off, paused or without a cable.
        remove: Machines that the spec no longer has, or that can't become what it says now: they lose their disks.
        files: Files that differ in running machines.
        services: "machine: service" pairs that are not in effect.
    """

    create: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    files: tuple[FileDiff, ...] = ()
    services: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """`up` would do nothing."""
        return not (self.create or self.start or self.remove or self.files or self.services)


def compare(spec: LabSpec, home: Home) -> Difference:
    """Look at what runs and return what `up` would do about it; changes nothing.

    Raises:
        SpecError: `up` would refuse: the lab can't be changed in place.
    """
    spec = with_provider(spec, home.lab(spec.name))
    plan = build_plan(spec)
    if not home.lab(spec.name).spec.exists():
        return Difference(create=tuple(machine.name for machine in plan.machines))
    with Session.open(home, spec.name) as session:
        machines = session.provider.status()
        seen = {machine.name for machine in machines}
        outdated = outdated_machines((session.spec, session.plan), (spec, plan))
        fits = {m.name: m.name in seen and m.name not in outdated for m in plan.machines}
        waiting = {
            machine.name
            for machine in machines
            if machine.state in (MachineState.STOPPED, MachineState.PAUSED) or machine.cut_links
        }
        running = [m for m in plan.machines if fits[m.name] and m.name not in waiting]

        def look(machine: MachinePlan) -> tuple[tuple[FileDiff, ...], tuple[str, ...]]:
            return difference(machine, session.shell(machine.name), LabSecrets(session.lab.keys))

        found = for_each(running, look)
        return Difference(
            create=tuple(name for name, fit in fits.items() if not fit),
            start=tuple(name for name, fit in fits.items() if fit and name in waiting),
            remove=tuple(sorted(name for name in seen if not fits.get(name))),
            files=tuple(file for files, _ in found for file in files),
            services=tuple(
                f"{machine.name}: {service}"
                for machine, (_, services) in zip(running, found, strict=True)
                for service in services
            ),
        )
