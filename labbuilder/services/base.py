"""What a service is: one thing that machines of a lab do, with all that is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labbuilder.model.check import Check
from labbuilder.model.fault import Fault
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.model.step import RenderedFile, Step
from labbuilder.spec.base import Model, Problem
from labbuilder.spec.models import LabSpec


@dataclass(frozen=True)
class Unit:
    """A unit of systemd that Debian switches on when its package is installed; it is off until a step switches it on.

    Attributes:
        init_script: Debian has no unit file for it, only a script in /etc/init.d.
    """

    name: str
    init_script: bool = False


class Service:
    """One thing that machines of a lab do. All is pure text and data: nothing is run here.

    A plan is built from `steps`, the image from `packages` and `units`, a verification from `checks`, drills from
    `faults`, and a spec that asks for what can't be is refused by `problems`. Every method is asked about every
    machine, and about labs in which the service does nothing; by default it says nothing.

    Attributes:
        name: What the spec, the plan and the stamps in the machines call it.
        settings: The model of its section in the spec; those of the package have sections that are the spec's own.
        packages: Debian packages that the image has for it.
        units: Units of these packages.
    """

    name: str
    settings: type[Model] = Model
    packages: tuple[str, ...] = ()
    units: tuple[Unit, ...] = ()

    def wanted(self, spec: LabSpec) -> bool:
        """Say whether a lab's image needs what the service needs; most do nothing without it."""
        del spec
        return True

    @property
    def image_files(self) -> tuple[RenderedFile, ...]:
        """Files that the image has already, so that the first start needs no reload of systemd."""
        return ()

    def steps(self, lab: Plan, me: MachinePlan) -> Iterable[Step]:
        """Return what is done in a machine, in order.

        Args:
            lab: The plan, whose machines have no steps yet.
            me: One of its machines.
        """
        del lab, me
        return ()

    def journal(self, me: MachinePlan) -> Sequence[str]:
        """Return journalctl's words for what it says in a machine: that of its units, where nothing else is known."""
        del me
        return tuple(f"--unit={unit.name}" for unit in self.units)

    def data(self, lab: Plan, me: MachinePlan) -> str:
        """Return what writes the data that a machine keeps on its disk, where another could not read it."""
        del lab, me
        return ""

    def starts_from(self, lab: Plan, me: MachinePlan) -> Iterable[str]:
        """Return the Debian packages whose own files its next start in a machine goes by: `verify` looks at them."""
        del lab, me
        return ()

    def checks(self, lab: Plan, me: MachinePlan) -> Iterable[Check]:
        """Return what must be true of a machine when the lab is up; each can fail."""
        del lab, me
        return ()

    def faults(self, lab: Plan) -> Iterable[Fault]:
        """Return what of it can be broken on purpose, for `labbuilder drill`."""
        del lab
        return ()

    def problems(self, spec: LabSpec) -> Iterable[Problem]:
        """Return what the spec asks for and can't have, each with its place in the spec."""
        del spec
        return ()


def head(lab: Plan, me: MachinePlan) -> dict[str, str]:
    """Return the values that every template's first line has."""
    return {"lab": lab.lab, "machine": me.name}
