"""What a drill measured. All times are seconds from the fault, by the clock of the capture; before it negative."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from labbuilder.verify import Verification


class Kind(StrEnum):
    """What a client wanted (RFC 2131, section 4.3.2)."""

    NEW = "new"
    RENEW = "renew"
    REBIND = "rebind"


@dataclass(frozen=True)
class Message:
    """One DHCP message, as it stood on the client's wire.

    Attributes:
        at_s: When.
        type: DISCOVER, OFFER, REQUEST, ACK, NAK, DECLINE, RELEASE or INFORM.
        client: The client's MAC (chaddr).
        xid: Transaction id.
        secs: What the client says of its waiting, in seconds.
        server: The machine that sent it; of what a client sent, the one it names or is addressed to.
        address: The one that is offered, acknowledged, asked for or renewed.
        renewing: A REQUEST of a client that has this address (ciaddr): RENEWING, or REBINDING when broadcast.
        broadcast: It went to everyone.
        lease_s: The lease time that a server gives.
    """

    at_s: float
    type: str
    client: str
    xid: int
    secs: int
    server: str | None
    address: str | None
    renewing: bool = False
    broadcast: bool = False
    lease_s: int | None = None

    @property
    def from_server(self) -> bool:
        """A server sent it."""
        return self.type in ("OFFER", "ACK", "NAK")


@dataclass(frozen=True)
class Exchange:
    """One wish of one client, and its answer: DISCOVER to ACK, or REQUEST to ACK.

    Attributes:
        asked_at_s: The first message, however often it was repeated.
        answered_at_s: The ACK; None when there was none until the measurement's end.
        server: Who gave the ACK.
    """

    kind: Kind
    client: str
    asked_at_s: float
    answered_at_s: float | None = None
    server: str | None = None
    address: str | None = None


@dataclass(frozen=True)
class Outage:
    """How long clients of one kind got no answer.

    Attributes:
        asked: Wishes from the fault until the repair, but for those whose answer was not late then.
        answered: Those of them that got an ACK before the repair.
        seconds: From the last ACK before the fault to the first one after it; None: none until the repair.
        longest_wait_s: Of the clients that asked between fault and repair and were served, the one that waited longest.
        resolution_s: The longest gap between two ACKs before the fault: a shorter outage can't be told from none.
    """

    kind: Kind
    asked: int
    answered: int
    seconds: float | None
    longest_wait_s: float | None
    resolution_s: float


@dataclass(frozen=True)
class Event:
    """What happened to the lab: a fault, a state of a server, the operator's takeover, the repair.

    Attributes:
        what: "fault", "state", "takeover", "repair" or "normal".
        machine: On which machine, where it is one.
    """

    at_s: float
    what: str
    text: str
    machine: str | None = None


@dataclass(frozen=True)
class DrillResult:
    """One drill: what was broken, what the clients felt, and whether all is well again.

    Attributes:
        drill: Its name: "crash-primary".
        title: What it does, in words.
        versions: Debian packages of the engine, with their versions.
        started_at: Local time, ISO 8601.
        seconds: How long the whole drill took.
        seed: Of the clients' MACs.
        outages: One for each kind of wish that was measured.
        duplicates: Addresses that two clients held at one time; must be none.
        lost: Leases that were acknowledged and that a server forgot; must be none.
        verification: Of the lab after the repair.
        load: What perfdhcp said, where it ran.
    """

    drill: str
    title: str
    lab: str
    mode: str
    engine: str
    provider: str
    versions: dict[str, str]
    started_at: str
    seconds: float
    seed: int
    outages: tuple[Outage, ...]
    exchanges: tuple[Exchange, ...]
    messages: tuple[Message, ...]
    events: tuple[Event, ...]
    duplicates: tuple[str, ...]
    lost: tuple[str, ...]
    verification: Verification
    load: str = ""

    @property
    def outage(self) -> float | None:
        """Seconds in which no new client could get an address; None: until the repair."""
        return next(o.seconds for o in self.outages if o.kind is Kind.NEW)

    @property
    def servers(self) -> tuple[str, ...]:
        """The machines that answered, sorted."""
        return tuple(sorted({m.server for m in self.messages if m.from_server and m.server}))

    def answers(self, server: str) -> int:
        """How many ACKs the server gave."""
        return sum(1 for e in self.exchanges if e.server == server)

    @property
    def passed(self) -> bool:
        """New clients were served before the repair, nothing was given twice or lost, and the lab is proven again."""
        return self.outage is not None and not self.duplicates and not self.lost and self.verification.passed
