"""A lab that exists, opened for work: its spec and plan, its provider, and one SSH connection a machine."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from labbuilder.errors import MachineError, SpecError
from labbuilder.host.journal import Journal
from labbuilder.host.store import Home, LabDir
from labbuilder.plan import Plan, build_plan
from labbuilder.providers.base import Provider
from labbuilder.providers.registry import open_provider
from labbuilder.reach import Shells
from labbuilder.spec.load import load_spec
from labbuilder.spec.models import LabSpec
from labbuilder.spec.providers import sections
from labbuilder.ssh.shell import Shell


class Session:
    """Connections are opened when they are first needed and kept until `close`.

    Attributes:
        home: Where labs and images are kept.
        lab: The lab's folder.
        spec: What was asked for.
        plan: What follows from it.
        provider: Where the machines live.
    """

    def __init__(self, home: Home, lab: LabDir, spec: LabSpec, provider: Provider) -> None:
        self.home = home
        self.lab = lab
        self.spec = spec
        self.plan: Plan = build_plan(spec)
        self.provider = provider
        self.journal = Journal(lab.journal)
        self._shells = Shells(provider)

    @classmethod
    def open(cls, home: Home, name: str) -> Session:
        """Open the lab that was brought up under that name.

        Raises:
            SpecError: There is none, or its first `up` did not get far enough to be used.
        """
        lab = home.lab(name)
        identity = lab_identity(lab)
        if identity is None or not lab.spec.exists():
            raise no_such_lab(home, name)
        kind, mark = identity
        spec = load_spec(lab.spec)
        return cls(home, lab, spec, open_provider(kind, home, lab, mark, sections(kind, spec)))

    def shell(self, machine: str) -> Shell:
        """The connection to a machine of the lab.

        Raises:
            SpecError: The lab has no such machine.
            TransportError: It can't be reached.
        """
        self.known(machine)
        return self._shells.shell(machine)

    def known(self, machine: str) -> None:
        """Nothing, if the lab has that machine.

        Raises:
            SpecError: It has not.
        """
        names = [m.name for m in self.plan.machines]
        if machine not in names:
            raise SpecError(
                brief=f"the lab {self.lab.name} has no machine {machine!r}",
                resolution=f"use one of: {', '.join(names)}",
            )

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


def lab_identity(lab: LabDir) -> tuple[str, str] | None:
    """The lab's provider and mark, from the first record of its journal."""
    for record in Journal(lab.journal).records():
        if record.effect == "lab":
            return record.data["provider"], record.data["mark"]
    return None


def no_such_lab(home: Home, name: str) -> SpecError:
    """The error that lists what there is."""
    names = ", ".join(home.lab_names())
    return SpecError(
        brief=f"there is no lab named {name}",
        details=f"There are: {names}" if names else "There are none.",
        resolution="labbuilder up makes one; labbuilder list shows them",
    )
