"""The context that all work on one lab shares, made once: spec, plan, provider, journal, a connection a machine."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from labbuilder.errors import MachineError, SpecError
from labbuilder.host.journal import Journal
from labbuilder.host.store import Home, LabDir
from labbuilder.lifecycle.identity import Identity, half_down, lab_identity, refuse_lost
from labbuilder.plan import MachinePlan, Plan, build_plan
from labbuilder.plan.load import load_spec
from labbuilder.providers.base import Provider
from labbuilder.providers.registry import open_provider
from labbuilder.reach import Shells
from labbuilder.spec.models import LabSpec
from labbuilder.ssh.shell import Shell


class Session:
    """Connections are opened when they are first needed and kept until `close`.

    Attributes:
        home: Where labs and images are kept.
        lab: The lab's folder.
        identity: What all that is made for the lab is known by.
        spec: What was asked for.
        plan: What follows from it.
        provider: Where the machines live.
        journal: What was begun, and what came of it.
    """

    def __init__(self, home: Home, lab: LabDir, identity: Identity, spec: LabSpec) -> None:
        self.home = home
        self.lab = lab
        self.identity = identity
        self.spec = spec
        self.plan: Plan = build_plan(spec)
        self.provider: Provider = open_provider(identity.provider, home, lab, identity.mark, self.plan.settings)
        self.journal = Journal(lab.journal)
        self._shells = Shells(self.provider)

    @classmethod
    def open(cls, home: Home, name: str) -> Session:
        """Open the lab that was brought up under that name, as it was made.

        Raises:
            SpecError: There is none, or its first `up` did not get far enough to be used.
            ResidueError: Its journal is lost.
        """
        lab = home.lab(name)
        refuse_lost(lab)
        identity = lab_identity(lab)
        if identity is None or not lab.spec.exists():
            raise no_such_lab(home, name)
        if half_down(lab):
            raise MachineError(
                brief=f"the lab {name} is half taken down",
                resolution=f"labbuilder down --lab {name} goes on with that; labbuilder up makes the lab anew",
            )
        return cls(home, lab, identity, load_spec(lab.spec))

    def shell(self, machine: str) -> Shell:
        """Return the connection to a machine of the lab.

        Raises:
            SpecError: The lab has no such machine.
            TransportError: It can't be reached.
        """
        self.machine(machine)
        return self._shells.shell(machine)

    def machine(self, name: str) -> MachinePlan:
        """Return the plan of the machine of that name.

        Raises:
            SpecError: The lab has none.
        """
        planned = {machine.name: machine for machine in self.plan.machines}
        if name not in planned:
            raise SpecError(
                brief=f"the lab {self.lab.name} has no machine {name!r}", resolution=f"use one of: {', '.join(planned)}"
            )
        return planned[name]

    def is_awake(self, machine: str) -> bool:
        """The machine is on and not frozen, so that it may answer."""
        return self.provider.is_awake(machine)

    def sure(self, machine: str, script: str) -> str:
        """Run lines of shell in a machine, each of which must end with 0; return what they printed.

        Raises:
            MachineError: One did not.
            TransportError: It can't be reached.
        """
        done = self.shell(machine).run(f"set -e\n{script}")
        if not done.ok:
            raise MachineError(brief=f"{machine} refused", details=f"{script}\n{done.stderr}")
        return done.stdout

    def drop(self, machine: str) -> None:
        """Close a machine's connection: it is about to go away."""
        self._shells.drop(machine)

    def close(self) -> None:
        """Close all connections."""
        self._shells.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def no_such_lab(home: Home, name: str) -> SpecError:
    """The error that lists what there is."""
    names = ", ".join(home.lab_names())
    return SpecError(
        brief=f"there is no lab named {name}",
        details=f"There are: {names}" if names else "There are none.",
        resolution="labbuilder up makes one; labbuilder list shows them",
    )
