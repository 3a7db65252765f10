"""A lab that exists, opened for work: its spec and plan, its provider, and one SSH connection a machine."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from labbuilder.errors import MachineError, SpecError, TransportError
from labbuilder.host.journal import Journal
from labbuilder.host.store import Home, LabDir
from labbuilder.plan import Plan, build_plan
from labbuilder.providers.base import MachineState, Provider
from labbuilder.providers.registry import open_provider
from labbuilder.spec.load import load_spec
from labbuilder.spec.models import LabSpec
from labbuilder.spec.providers import sections
from labbuilder.ssh.shell import Shell

_SOON_S = 5.0  # then it is looked whether the machine is on; one that is gets longer
_MENDS = {MachineState.STOPPED: "start {} starts it", MachineState.PAUSED: "resume {} lets it go on"}


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
        self._shells: dict[str, Shell] = {}
        self._lock = threading.Lock()

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
        with self._lock:
            known = self._shells.get(machine)
        if known is not None and not known.is_open:  # the machine went away, by somebody else's hand
            self.drop(machine)
            known = None
        if known is None:
            known = self._connected(machine)
            with self._lock:
                self._shells[machine] = known
        return known

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

    def _connected(self, machine: str) -> Shell:
        endpoint = self.provider.endpoint(machine)
        try:
            return Shell(endpoint, within_s=_SOON_S)
        except TransportError as error:
            if self.provider.is_awake(machine):
                return Shell(endpoint)
            state = next((seen.state for seen in self.provider.status() if seen.name == machine), MachineState.STOPPED)
            mend = awakened(machine, state) if state in _MENDS else error.resolution
            raise TransportError(brief=f"{machine} is {state}", resolution=mend) from error

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
        with self._lock:
            shell = self._shells.pop(machine, None)
        if shell is not None:
            shell.close()

    def close(self) -> None:
        """Close all connections."""
        for machine in tuple(self._shells):
            self.drop(machine)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def awakened(machine: str, state: MachineState) -> str:
    """What the user can do about a machine that is stopped or paused."""
    return f"labbuilder {_MENDS[state].format(machine)}, and so does labbuilder up"


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
