"""The clocks of a drill: each is clients of one kind on the wire, and what their capture says.

base.py       what a stopwatch is
outage.py     exchanges into an outage, the same for all
addresses.py  who wants an address; capture.py: the capture into DHCP messages; dhcp.py: messages into exchanges
world.py      who has one and wants out; connections.py: the capture into exchanges
"""

from __future__ import annotations

from labbuilder.drill.stopwatches.addresses import Addresses
from labbuilder.drill.stopwatches.base import Moments, Stopwatch
from labbuilder.drill.stopwatches.world import World
from labbuilder.drill.traffic import Traffic
from labbuilder.lifecycle.session import Session

__all__ = ["Addresses", "Moments", "Stopwatch", "World", "stopwatches"]


def stopwatches(session: Session, traffic: Traffic, *, seed: int) -> tuple[Stopwatch, ...]:
    """All that run in a drill; addresses first, since a drill's other clients hold some."""
    witness = session.plan.upstream.witness
    world = (World(session, traffic, witness),) if witness is not None else ()  # a real LAN has none
    return (Addresses(session, traffic, seed=seed), *world)
