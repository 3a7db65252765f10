"""Which services there are: those of the package, and those that other packages bring by an entry point."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import TypeVar

from labbuilder.errors import HostError, LabError
from labbuilder.model.check import Check
from labbuilder.model.fault import Fault
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.model.step import RenderedFile, Step
from labbuilder.services.base import Service
from labbuilder.services.dhcp import ENGINES, DhcpService
from labbuilder.services.dns import Dns
from labbuilder.services.forwarding import Forwarding
from labbuilder.services.gateway import VrrpGateway
from labbuilder.services.identity import Identity
from labbuilder.services.nat import Nat
from labbuilder.services.network import Networking
from labbuilder.services.resolver import Resolver
from labbuilder.spec.base import Problem
from labbuilder.spec.models import LabSpec

T = TypeVar("T")
GROUP = "labbuilder.services"
# In the order in which a machine is configured: what a service needs stands before it.
SERVICES: tuple[Service, ...] = (
    Identity(),
    Networking(),
    DhcpService(),
    Resolver(),
    Forwarding(),
    Nat(),
    VrrpGateway(),
    Dns(),
)


_MEND = "mend or remove the package that brings it"


class _Outside(Service):
    """A service of another package: what goes wrong in it is told as its mistake, with its file and line."""

    def __init__(self, own: Service) -> None:
        if isinstance(own.packages, str):
            raise TypeError(f"packages is a tuple of names, not the text {own.packages!r}")
        self._own = own
        self.name, self.settings, self.packages, self.units = own.name, own.settings, own.packages, own.units

    def wanted(self, spec: LabSpec) -> bool:
        return self._asked("wanted", lambda: self._own.wanted(spec))

    @property
    def image_files(self) -> tuple[RenderedFile, ...]:
        return self._asked("image_files", lambda: self._own.image_files)

    def steps(self, lab: Plan, me: MachinePlan) -> Iterable[Step]:
        return self._asked("steps", lambda: tuple(self._own.steps(lab, me)))

    def journal(self, me: MachinePlan) -> Sequence[str]:
        return self._asked("journal", lambda: tuple(self._own.journal(me)))

    def data(self, lab: Plan, me: MachinePlan) -> str:
        return self._asked("data", lambda: self._own.data(lab, me))

    def starts_from(self, lab: Plan, me: MachinePlan) -> Iterable[str]:
        return self._asked("starts_from", lambda: tuple(self._own.starts_from(lab, me)))

    def checks(self, lab: Plan, me: MachinePlan) -> Iterable[Check]:
        return self._asked("checks", lambda: tuple(self._own.checks(lab, me)))

    def faults(self, lab: Plan) -> Iterable[Fault]:
        return self._asked("faults", lambda: tuple(self._own.faults(lab)))

    def problems(self, spec: LabSpec) -> Iterable[Problem]:
        return self._asked("problems", lambda: tuple(self._own.problems(spec)))

    def _asked(self, method: str, ask: Callable[[], T]) -> T:
        """Return the answer.

        Raises:
            HostError: The service raised something else than an error of labbuilder's.
        """
        try:
            return ask()
        except LabError:
            raise
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            raise HostError(
                brief=f"the service {self.name} failed when it was asked for its {method}",
                details=f"{at.filename}:{at.lineno}: {type(error).__name__}: {error}",
                resolution=_MEND,
            ) from error


def services_of(names: Iterable[str]) -> tuple[Service, ...]:
    """Return the services of a lab that has these from outside: they come last, in the order of their names.

    Raises:
        HostError: One of them is not installed.
    """
    wanted = sorted(names)
    there: Mapping[str, Service] = outside() if wanted else {}
    for name in wanted:
        if name not in there:
            raise HostError(
                brief=f"the lab has a service {name!r}, and no installed package brings it",
                resolution="install it beside labbuilder, in the same environment: docs/services.md",
            )
    return (*SERVICES, *(there[name] for name in wanted))


def journals(lab: Plan, me: MachinePlan) -> dict[str, tuple[str, ...]]:
    """Return journalctl's words for each service that says something in a machine, and for each engine, by its name."""
    found = {service.name: tuple(service.journal(me)) for service in services_of(lab.services)}
    if "server" in me.roles:
        units = {name: {engine.unit for engine in modes.values()} for name, modes in ENGINES.items()}
        found |= {name: tuple(f"--unit={unit}" for unit in sorted(own)) for name, own in units.items()}
    return {name: words for name, words in found.items() if words}


@cache
def outside() -> Mapping[str, Service]:
    """Return the services that installed packages bring, by their names.

    Raises:
        HostError: One of them can't be loaded, or is called as another one.
    """
    found: dict[str, Service] = {}
    for entry in entry_points(group=GROUP):
        try:
            service = _Outside(entry.load()())
        except Exception as error:
            raise HostError(
                brief=f"the service {entry.name} can't be loaded",
                details=f"{entry.value}: {type(error).__name__}: {error}",
                resolution=_MEND,
            ) from error
        if service.name in found or service.name in {own.name for own in SERVICES}:
            raise HostError(
                brief=f"two services are called {service.name}",
                details=f"One of them is {entry.value}.",
                resolution="remove one of the packages, or give its service another name",
            )
        found[service.name] = service
    return found
