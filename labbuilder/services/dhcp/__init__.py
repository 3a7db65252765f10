"""DHCP: the engines, each in its arrangements, behind one service.

    base.py         what an engine is
    isc.py          isc-dhcp-server, alone or in failover
    standby.py      isc-dhcp-server in manual mode: a second server that is off
    kea.py          kea-dhcp4-server, alone or in a mode of its High Availability hook
    omapi.py        what dhcpd says of itself
    kea_control.py  what Kea says of itself; kea_running.py compares it with its file
    pair.py         what must be true of any pair
    clients.py      what must be true of a client's lease
    given.py        what a client was given, and by whom
    newcomers.py    what must be true of a client that was never there
    faults.py       how a pair is broken
    config_files.py a daemon's configuration as it stands in a machine

Which engine a lab has is asked here and nowhere else; a further one is a file and a row of the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from labbuilder.model.check import Check
from labbuilder.model.fault import Fault
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.model.step import RenderedFile, Step
from labbuilder.services.base import Service
from labbuilder.services.dhcp.base import UNITS, Engine, PeerStatus
from labbuilder.services.dhcp.clients import lease_checks
from labbuilder.services.dhcp.faults import faults_of_the_pair
from labbuilder.services.dhcp.given import Given
from labbuilder.services.dhcp.isc import Dhcpd, RoundRobin, dhcpd_unit
from labbuilder.services.dhcp.kea import HALVED, Kea
from labbuilder.services.dhcp.newcomers import newcomer_checks, outside_check
from labbuilder.services.dhcp.standby import ColdStandby
from labbuilder.services.newcomer import Wish, asks_inside, asks_outside, has_room
from labbuilder.spec.failover import Failover

_NO_ROTATION = (
    "round-robin: no DHCP server rotates by request; Kea halves the hash, and the pool: "
    "an even share, and a client stays with its server"
)
ENGINES: Mapping[str, Mapping[str, Engine]] = {
    "isc": {
        "load-balancing": Dhcpd(),
        "hot-standby": Dhcpd(),
        "round-robin": RoundRobin(),
        "manual": ColdStandby(),
    },
    "kea": {
        "load-balancing": Kea(HALVED),
        "hot-standby": Kea("hot-standby"),
        "round-robin": Kea(HALVED, notice=_NO_ROTATION),
        "manual": Kea("hot-standby", by_itself=False),
    },
}


def engine_for(failover: Failover) -> Engine:
    """Return the engine that the spec asks for, as it is in that mode."""
    return ENGINES[failover.engine][failover.mode]


def engine_of(lab: Plan) -> Engine:
    """Return the lab's engine."""
    return engine_for(lab.dhcp.failover)


def answering(lab: Plan) -> tuple[str, ...]:
    """Return the "machine:step" pairs after which a client may ask for an address."""
    return engine_of(lab).answering(lab)


def leased(lab: Plan) -> str:
    """Return all that a lease depends on: who has one keeps it until it ends, however the servers are changed."""
    dhcp, subnet = lab.dhcp, lab.served.subnet
    times = (dhcp.default_lease_s, dhcp.max_lease_s, dhcp.failover.mclt_s)
    servers = [server.address(lab.served.name) for server in lab.servers]
    routers = [lab.virtual_router.address] if lab.virtual_router else []
    parts = (dhcp.failover.engine, dhcp.failover.mode, subnet, lab.pool, *times, lab.dns.domain, *servers, *routers)
    return " ".join(map(str, parts))


def wishes(lab: Plan) -> tuple[Wish, ...]:
    """Return what clients that were never there ask for."""
    return engine_of(lab).wishes(lab)


class DhcpService(Service):
    """Servers lease addresses on the networks that have a pool, and clients have them."""

    name = "dhcp"
    packages = ("isc-dhcp-server", "kea-admin", "kea-dhcp4-server", "netcat-openbsd")
    units = UNITS

    @property
    def image_files(self) -> tuple[RenderedFile, ...]:
        """The native unit of dhcpd."""
        return (dhcpd_unit(),)

    def steps(self, lab: Plan, me: MachinePlan) -> Iterable[Step]:
        """Return what the engine does in a server."""
        return engine_of(lab).steps(lab, me) if "server" in me.roles else ()

    def journal(self, me: MachinePlan) -> Sequence[str]:
        """A server's is that of its engines, of which one has spoken; a client's that of dhclient, who asks."""
        return super().journal(me) if "server" in me.roles else ("--identifier=dhclient",)

    def data(self, lab: Plan, me: MachinePlan) -> str:
        """One engine can't read the other's leases, nor one mode another's shares of the pool."""
        failover = lab.dhcp.failover
        return f"{failover.engine} {failover.mode}" if "server" in me.roles else ""

    def starts_from(self, lab: Plan, me: MachinePlan) -> Iterable[str]:
        """Return the engine's package."""
        return (engine_of(lab).unit,) if "server" in me.roles else ()

    def checks(self, lab: Plan, me: MachinePlan) -> Iterator[Check]:
        """Look at the engine on a server, at a client's lease, and at what a client gets that was never there."""
        engine = engine_of(lab)
        yield from engine.checks(lab, me) if "server" in me.roles else ()
        yield from lease_checks(lab, me, engine.shortest_lease_s(lab)) if "client" in me.roles else ()
        if asks_inside(lab, me) and has_room(lab):
            yield from newcomer_checks(engine, lab, me)
        if asks_outside(lab, me):
            yield outside_check(lab, me)

    def faults(self, lab: Plan) -> Iterable[Fault]:
        """Break the pair."""
        return faults_of_the_pair(lab, engine_of(lab))


__all__ = [
    "ENGINES",
    "DhcpService",
    "Engine",
    "Given",
    "PeerStatus",
    "answering",
    "engine_for",
    "engine_of",
    "leased",
    "wishes",
]
