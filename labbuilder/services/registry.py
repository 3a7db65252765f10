"""Which services there are: those of the package, and those that other packages bring by an entry point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points

from labbuilder.errors import HostError
from labbuilder.services.base import Service
from labbuilder.services.dhcp import DhcpService
from labbuilder.services.dns import Dns
from labbuilder.services.forwarding import Forwarding
from labbuilder.services.identity import Identity
from labbuilder.services.nat import Nat
from labbuilder.services.network import Networking
from labbuilder.services.resolver import Resolver

GROUP = "labbuilder.services"
# In the order in which a machine is configured: what a service needs stands before it.
SERVICES: tuple[Service, ...] = (Identity(), Networking(), DhcpService(), Resolver(), Forwarding(), Nat(), Dns())


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


@cache
def outside() -> Mapping[str, Service]:
    """Return the services that installed packages bring, by their names.

    Raises:
        HostError: One of them can't be loaded, or is called as another one.
    """
    found: dict[str, Service] = {}
    for entry in entry_points(group=GROUP):
        try:
            service = entry.load()()
        except Exception as error:
            raise HostError(
                brief=f"the service {entry.name} can't be loaded",
                details=f"{entry.value}: {type(error).__name__}: {error}",
                resolution="mend or remove the package that brings it",
            ) from error
        if service.name in found or service.name in {own.name for own in SERVICES}:
            raise HostError(
                brief=f"two services are called {service.name}",
                details=f"One of them is {entry.value}.",
                resolution="remove one of the packages, or give its service another name",
            )
        found[service.name] = service
    return found
