"""The checks of a lab: those of its services, and of each machine its files and where it boots to.

What is true now is asked of the kernel, systemd or the daemon; of a client's lease, dhclient's own record too. What the
next start goes by is compared with the plan, file by file; dhcpd.nic, kea.nic, failover.mirror, failover.pool, nat.kept
and forwarding.kept say in the guide's words what one of them is for. kea.running proves that Kea runs its file. dhcpd
tells no more than failover.share asks; what else it runs shows in what a client is given that was never there.
"""

from __future__ import annotations

from collections.abc import Iterator

from labbuilder.model.check import Check
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.provisioning.secrets import LabSecrets
from labbuilder.services import newcomer
from labbuilder.services.registry import services_of
from labbuilder.services.systemd import boots, runs_on
from labbuilder.verify.files import files_check
from labbuilder.verify.logins import logins_check
from labbuilder.verify.packages import packages_check


def checks_for(plan: Plan, secrets: LabSecrets | None = None) -> tuple[Check, ...]:
    """Return everything that must be true of the lab, machine by machine.

    Args:
        plan: The lab.
        secrets: Its secrets; without them the files that have one are not looked at.
    """
    services = services_of(plan.services)

    def of(machine: MachinePlan) -> tuple[Check, ...]:
        own = (check for service in services for check in service.checks(plan, machine))
        packages = [package for service in services for package in service.starts_from(plan, machine)]
        disk = files_check(plan.lab, machine, secrets), packages_check(machine, packages)
        return *disk, boots(plan, machine), runs_on(plan, machine), *own

    return logins_check(plan), *(check for machine in plan.machines for check in of(machine))


def left_out(plan: Plan) -> Iterator[str]:
    """Return what is not asked of this lab, and why."""
    if not plan.clients:
        yield "no client is there beside which a new one could ask: leases, ways and names are not proven from outside"
    elif not newcomer.has_room(plan):
        yield f"the pool {plan.pool} has no room for new clients: what they get is not asked"
    if plan.upstream.witness is None:
        yield f"the {plan.uplink.name} network is not the lab's own: nobody asks from there; of the world, DNS only"
    elif plan.pair is None:
        yield f"one server: nobody asks it from the {plan.uplink.name} network"
