"""The second stopwatch: a client that holds a lease and opens connections to the world through its gateway."""

from __future__ import annotations

from labbuilder.drill.model import Reading
from labbuilder.drill.stopwatches.base import Moments
from labbuilder.drill.stopwatches.connections import read_connections
from labbuilder.drill.stopwatches.outage import outage
from labbuilder.drill.traffic import Traffic
from labbuilder.lifecycle.session import Session
from labbuilder.model.fault import Fault, Need
from labbuilder.model.lab import Witness

KIND = "connect"


class World:
    """The lab's first client itself, as it was configured by DHCP: no lease of its own, no route of its own.

    Without a virtual gateway its way out may end with the server that gave the lease, until the lease is renewed. That
    is shown, and no drill fails by it.
    """

    name = "world"

    def __init__(self, session: Session, traffic: Traffic, witness: Witness) -> None:
        self._session, self._traffic, self._witness = session, traffic, witness
        self._capture = b""

    def needs(self, fault: Fault) -> tuple[Need, ...]:
        """Nothing: where there is no witness there is no such stopwatch."""
        del fault
        return ()

    def start(self) -> None:
        """Return when the first connections are captured."""
        self._traffic.connect(self._witness)

    def stop(self) -> None:
        """End them and keep what was captured."""
        self._capture = self._traffic.connections()

    def clear(self) -> None:
        """Nothing is left to do: the drill's other clients are removed together with it."""

    def reading(self, moments: Moments) -> Reading:
        """What an application felt that connects, gives up after a second, and connects again."""
        plan = self._session.plan
        sources = {server.address(plan.uplink.name).ip: server.name for server in plan.servers}
        found = read_connections(self._capture, self._witness, sources, zero_s=moments.zero_s, kind=KIND)
        felt = outage(KIND, found, broken_at_s=moments.broken_at_s, until_s=moments.until_s)
        return Reading(self.name, (felt,), found, judged=plan.virtual_router is not None)
