"""What a drill measured. All times are seconds from the fault, by the clock of the capture; before it negative."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from labbuilder.model.fault import Counted
from labbuilder.services.dhcp.base import Condition
from labbuilder.verify import Verification


class Kind(StrEnum):
    """What a DHCP client wanted (RFC 2131, section 4.3.2)."""

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
    """One wish of one client, and its answer: of a DHCP client DISCOVER to ACK, or REQUEST to ACK.

    Attributes:
        kind: What was wanted; one of the kinds of the stopwatch's outages.
        asked_at_s: The first message, however often it was repeated.
        answered_at_s: The answer; None when there was none until the measurement's end.
        server: Who gave it.
        address: What was given, where it is an address.
    """

    kind: str
    client: str
    asked_at_s: float
    answered_at_s: float | None = None
    server: str | None = None
    address: str | None = None


@dataclass(frozen=True)
class Outage:
    """How long clients of one kind got no answer.

    Attributes:
        kind: What they wanted.
        asked: Wishes from the fault until the repair, but for those whose answer was not late then.
        answered: Those of them that were answered before the repair.
        seconds: From the last answer before the fault to the first one after it; None: none until the repair.
        longest_wait_s: Of the clients that asked between fault and repair and were served, the one that waited longest.
        resolution_s: The longest gap between two answers before the fault: a shorter outage can't be told from none.
    """

    kind: str
    asked: int
    answered: int
    seconds: float | None
    longest_wait_s: float | None
    resolution_s: float

    @property
    def unserved(self) -> int:
        """How many asked in vain: an outage that is over may have left some of them without an answer."""
        return self.asked - self.answered


@dataclass(frozen=True)
class Wrong:
    """What must not happen, and where it did.

    Attributes:
        key: Of addresses "duplicates" (two clients held one at one time) or "lost" (a lease that was forgotten).
        seen: Each case in words; must be none.
    """

    key: str
    seen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What one stopwatch measured.

    Attributes:
        stopwatch: Its name: "addresses".
        outages: One for each kind of wish; the first is the one that a drill is judged by.
        exchanges: Every wish with its answer.
        wrong: What it looked for that must not happen.
        messages: The DHCP messages of its capture, where it measures those.
        judged: A drill fails by it; else it is only shown.
    """

    stopwatch: str
    outages: tuple[Outage, ...]
    exchanges: tuple[Exchange, ...]
    wrong: tuple[Wrong, ...] = ()
    messages: tuple[Message, ...] = ()
    judged: bool = True

    @property
    def outage(self) -> Outage:
        """The one that a drill is judged by."""
        return self.outages[0]

    @property
    def passed(self) -> bool:
        """Clients were served again, and nothing went wrong."""
        right = self.outage.seconds is not None and not any(wrong.seen for wrong in self.wrong)
        return right or not self.judged


@dataclass(frozen=True)
class Event:
    """What happened to the lab: a fault, a state of a server, the operator's takeover, the repair.

    Attributes:
        what: "fault", "state", "takeover", "repair" or "normal".
        machine: On which machine, where it is one.
        condition: Of a state what it means, so that nobody needs the engine's words: "well"; "alone", serving without
            the partner; "off", also standing by or not asked; "moving" from one to another.
    """

    at_s: float
    what: str
    text: str
    machine: str | None = None
    condition: Condition | None = None


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
        stopwatches: What each of them measured; that of addresses comes first.
        verification: Of the lab after the repair.
        counted: Until when clients were counted: "repair", or "end" where the repair is part of what is measured.
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
    stopwatches: tuple[Reading, ...]
    events: tuple[Event, ...]
    verification: Verification
    counted: Counted = "repair"
    load: str = ""

    @property
    def addresses(self) -> Reading:
        """What DHCP clients felt."""
        return self.stopwatches[0]

    @property
    def outage(self) -> float | None:
        """Seconds in which no new client could get an address; None: until the repair."""
        return self.addresses.outage.seconds

    @property
    def outages(self) -> tuple[Outage, ...]:
        """Of addresses: new clients, renewals, rebinds."""
        return self.addresses.outages

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Of addresses."""
        return self.addresses.exchanges

    @property
    def messages(self) -> tuple[Message, ...]:
        """The DHCP messages of the capture."""
        return self.addresses.messages

    @property
    def duplicates(self) -> tuple[str, ...]:
        """Addresses that two clients held at one time; must be none."""
        return self._wrong("duplicates")

    @property
    def lost(self) -> tuple[str, ...]:
        """Leases that were acknowledged and that a server forgot; must be none."""
        return self._wrong("lost")

    def _wrong(self, key: str) -> tuple[str, ...]:
        return tuple(seen for wrong in self.addresses.wrong if wrong.key == key for seen in wrong.seen)

    @property
    def servers(self) -> tuple[str, ...]:
        """The machines that answered, sorted."""
        return tuple(sorted({m.server for m in self.messages if m.from_server and m.server}))

    def answers(self, server: str) -> int:
        """How many ACKs the server gave."""
        return sum(1 for e in self.exchanges if e.server == server)

    @property
    def passed(self) -> bool:
        """Clients were served before the repair, nothing was given twice or lost, and the lab is proven again."""
        return all(reading.passed for reading in self.stopwatches) and self.verification.passed
