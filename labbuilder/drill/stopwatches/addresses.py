"""The first stopwatch: clients that want an address, or to keep the one they have."""

from __future__ import annotations

from ipaddress import IPv4Interface

from labbuilder.drill.model import Exchange, Kind, Message, Reading, Wrong
from labbuilder.drill.stopwatches.base import Moments
from labbuilder.drill.stopwatches.dhcp import duplicates, exchanges, heard, lost_leases
from labbuilder.drill.stopwatches.outage import outage
from labbuilder.drill.traffic import Traffic
from labbuilder.errors import MachineError
from labbuilder.lifecycle.session import Session
from labbuilder.model.fault import Crowd, Fault, Need
from labbuilder.spec.models import AddressRange

HOLDERS, NEWCOMERS = 16, 24  # together less than half a pool: in hot standby that is all the primary has
_SMALLEST_POOL, _LARGEST_CROWD = 4, 500
_HOLDS_BY = {Kind.REBIND: (Kind.RENEW,)}


class Addresses:
    """Real DHCP clients: holders that renew their leases, newcomers that ask for one and give it back."""

    name = "addresses"

    def __init__(self, session: Session, traffic: Traffic, *, seed: int) -> None:
        self._session, self._traffic, self._seed = session, traffic, seed
        self._held: dict[str, str] = {}
        self._capture = b""

    def needs(self, fault: Fault) -> tuple[Need, ...]:
        """A client, a pool in which something can be measured and, for a crowd, one that it can fill."""
        plan, pool = self._session.plan, self._session.plan.pool
        client = Need(
            met=bool(plan.clients),
            brief="a drill needs a client",
            details=f"The lab {plan.lab} has none.",
            resolution="labbuilder up --clients 1 --reconfigure",
        )
        room = Need(
            met=len(pool) >= _SMALLEST_POOL,
            brief=f"the pool {pool} has {len(pool)} addresses, too few to measure what clients feel",
            resolution=f"give dhcp.pool at least {_SMALLEST_POOL} addresses",
        )
        crowds = [step for step in fault.steps if isinstance(step, Crowd)]
        return (client, room, *(need for crowd in crowds for need in _room_for(crowd, self._session)))

    def start(self) -> None:
        """Return when every holder has its lease."""
        holders, newcomers = _clients(self._session.plan.pool)
        self._held = _held(self._session)
        self._traffic.start(seed=self._seed, holders=holders, newcomers=newcomers)

    def stop(self) -> None:
        """End them and keep what was captured."""
        self._capture = self._traffic.capture()

    def clear(self) -> None:
        """Remove all of them."""
        self._traffic.clear()

    def reading(self, moments: Moments) -> Reading:
        """What they felt.

        Raises:
            MachineError: No new client was served before the fault, so there is nothing to count from.
        """
        messages = messages_of(self._session, self._capture, zero_s=moments.zero_s)
        taken = tuple(heard(messages))
        found = exchanges(taken)
        _refuse_without_baseline(found)
        return Reading(
            stopwatch=self.name,
            outages=tuple(
                outage(
                    kind,
                    found,
                    broken_at_s=moments.broken_at_s,
                    until_s=moments.until_s,
                    holds_by=_HOLDS_BY.get(kind, ()),
                )
                for kind in Kind
            ),
            exchanges=found,
            wrong=(Wrong("duplicates", duplicates(taken, self._held)), Wrong("lost", lost_leases(taken))),
            messages=messages,
        )


def crowd_size(crowd: Crowd, session: Session) -> int:
    """How many clients must come to leave as few addresses as the crowd shall."""
    holders, _ = _clients(session.plan.pool)
    return len(session.plan.pool) - holders - len(session.plan.clients) - crowd.leaves


def messages_of(session: Session, capture: bytes, *, zero_s: float) -> tuple[Message, ...]:
    """The DHCP messages of a capture, with the names of the lab's servers; times count from ``zero_s``."""
    from labbuilder.drill.stopwatches.capture import read_capture  # noqa: PLC0415  dpkt loads every protocol it knows

    servers = {address: name for name, address in session.plan.server_addresses.items()}
    return tuple(read_capture(capture, servers, zero_s=zero_s))


def _clients(pool: AddressRange) -> tuple[int, int]:
    """Holders and newcomers: fewer where the pool is small."""
    return min(HOLDERS, len(pool) // 6), min(NEWCOMERS, len(pool) // 4)


def _room_for(crowd: Crowd, session: Session) -> tuple[Need, ...]:
    pool, size = session.plan.pool, crowd_size(crowd, session)
    return (
        Need(
            met=size + crowd.leaves <= _LARGEST_CROWD,
            brief=f"the pool {pool} is too large for a crowd that leaves {crowd.leaves} addresses",
            details=f"It would be {size} clients in one machine; at most {_LARGEST_CROWD} are made.",
            resolution="give dhcp.pool fewer addresses",
        ),
        Need(
            met=size > 0,
            brief=f"the pool {pool} is too small for a crowd that leaves {crowd.leaves} addresses",
            details=f"Of {len(pool)} only {size + crowd.leaves} are free for it.",
            resolution="give dhcp.pool more addresses",
        ),
    )


def _held(session: Session) -> dict[str, str]:
    """Addresses that the lab's own clients hold, with their MACs."""
    found: dict[str, str] = {}
    for client in session.plan.clients:
        nic = client.nic(session.plan.served.name)
        said = session.shell(client.name).run(f"ip -4 -o address show dev {nic.name} | awk '{{print $4}}'").stdout
        found |= {str(IPv4Interface(word).ip): nic.mac for word in said.split()}
    return found


def _refuse_without_baseline(found: tuple[Exchange, ...]) -> None:
    if not any(e.kind == Kind.NEW and e.answered_at_s is not None and e.answered_at_s <= 0 for e in found):
        raise MachineError(
            brief="the drill measured nothing: no new client was served before the fault",
            resolution="labbuilder verify says whether the lab is well",
        )
