"""The checks of a lab, collected from its services.

What is true now is asked of the kernel, systemd or the daemon; of a client's lease, dhclient's own record too.
What the next start goes by is read from its file: dhcpd.nic, kea.nic, failover.mirror, failover.pool, failover.lint,
nat.kept, forwarding.kept. kea.running proves that Kea runs its file. dhcpd tells no more than failover.share asks; what
else it runs shows in the clients' leases, when they are renewed.
"""

from __future__ import annotations

from labbuilder.model.check import Check
from labbuilder.model.lab import Plan
from labbuilder.services.registry import services_of


def checks_for(plan: Plan) -> tuple[Check, ...]:
    """Return everything that must be true of the lab, machine by machine."""
    services = services_of(plan.services)
    return tuple(check for machine in plan.machines for service in services for check in service.checks(plan, machine))
