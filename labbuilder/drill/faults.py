"""Every way to break a lab, collected from its services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from labbuilder.errors import HostError, SpecError
from labbuilder.model.fault import Fault, Need
from labbuilder.plan import Plan, build_plan
from labbuilder.plan.load import spec_from_values
from labbuilder.services.dhcp.faults import pair_and_client as _pair_and_client
from labbuilder.services.registry import services_of


def faults(plan: Plan) -> Mapping[str, Fault]:
    """Return every way to break this lab, by its name.

    Raises:
        HostError: Two services call a fault alike.
    """
    found: dict[str, Fault] = {}
    for service in services_of(plan.services):
        for fault in service.faults(plan):
            if fault.name in found:
                raise HostError(
                    brief=f"two faults are called {fault.name}",
                    details=f"{found[fault.name].title}; and of the service {service.name}: {fault.title}",
                    resolution="give the service's fault another name",
                )
            found[fault.name] = fault
    return found


@cache
def titles() -> Mapping[str, str]:
    """Return what each fault of the guide's lab does, by its name."""
    return {name: fault.title for name, fault in faults(build_plan(spec_from_values(name="guide"))).items()}


def known(names: Sequence[str], there: Mapping[str, Fault]) -> tuple[str, ...]:
    """Return these drills; of no names, all that there are.

    Raises:
        SpecError: There is none of that name.
    """
    for name in names:
        if name not in there:
            raise SpecError(brief=f"there is no drill {name!r}", resolution=f"use one of: {', '.join(there)}")
    return tuple(names) or tuple(there)


def refuse_unmet(needs: Sequence[Need]) -> None:
    """Raise SpecError, with what is missing, unless the lab has all of this."""
    for need in needs:
        if not need.met:
            raise SpecError(need.brief, need.details or None, need.resolution or None)


def pair_and_client(plan: Plan) -> None:
    """Raise SpecError unless there are two servers and a client."""
    refuse_unmet([_pair_and_client(plan)])
