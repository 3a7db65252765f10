"""A host that was never there: what it asks the lab's wires, and what it hears (newcomer.pl).

One probe for all: services say what of it is theirs to judge. On the internal network it is a new client, beside the
first client's NIC; on the simulated LAN it is anybody, beside a server's NIC, and asks the other server.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal

from labbuilder.host.run import Result
from labbuilder.model.lab import MachinePlan, Network, Nic, Plan

_PROGRAM = Path(__file__).with_name("newcomer.pl").read_text(encoding="ascii")
_ONE_AT_A_TIME = "flock -w 8 /run/lab-newcomer"
# perl -e THIS NIC COMMAND...: while the command runs the NIC hears what is sent to other MACs than its own. A macvlan's
# is told to the card, and VirtualBox's does not listen: without this it hears no unicast. The kernel undoes it with us.
_HEAR_ALL = (
    '$^F = 99; my $request = pack "a16 x24", shift; socket my $all, 17, 3, 0 or die "no raw socket: $!\\n"; '
    'ioctl $all, 0x8933, $request or die "no NIC: $!\\n"; my $nic = unpack "x16 i", $request; '
    'setsockopt $all, 263, 1, pack "i S S x8", $nic, 1, 0 or die "not promiscuous: $!\\n"; exec @ARGV;'
)
_LISTEN_S = 0.2  # at least so long for who was not asked for; others answer within milliseconds
_OWN_MAC = "06:6c:61:62:00:00"
LOW = "06:6c:61:62:00:02"  # by the hash of RFC 3074 in the first of 256 buckets
HIGH = "06:6c:61:62:00:2f"  # in the last
LATE = "06:6c:61:62:00:01"
FULL_SIZE = "full"  # as long as the NIC takes: a cluster's tunnels take fifty bytes
_SCANNED = 1024  # addresses at most: each is asked for on the whole wire
OFFER, ACK = 2, 5  # RFC 2132, 9.6
REFUSED, NOT_SERVED = "Connection refused", "rcode 5"
_SOURCES = 2


@dataclass(frozen=True)
class Wish:
    """A new client's DISCOVER.

    Attributes:
        secs: For how long it says that it has asked already.
        answered_by: The servers that shall answer; the others are silent.
        wanted: The address that it would like to have.
        takes: A "lease", which it gives back in the end; the "offer": an address that is nobody else's for a moment,
            and of which no server keeps a note; or "nothing".
    """

    name: str
    mac: str
    answered_by: tuple[str, ...]
    secs: int = 0
    wanted: IPv4Address | None = None
    takes: Literal["lease", "offer", "nothing"] = "lease"

    @property
    def words(self) -> str:
        """As the program reads it."""
        fields = self.name, self.mac, self.secs, self.wanted or "", len(self.answered_by), self.takes
        return ",".join(("dhcp", *map(str, fields)))


@dataclass(frozen=True)
class Message:
    """An answer of DHCP: whose wish it answers, its type (RFC 2132, 9.6), and who sent it."""

    wish: str
    type: int
    mac: str
    sender: str
    address: IPv4Address
    options: Mapping[int, bytes]


@dataclass
class Heard:
    """All that was heard.

    Attributes:
        owners: MACs that answer for an address, to whoever asks.
        proxies: Addresses for which a MAC answers when it is asked alone.
        ways: What came of each way that was tried.
        sources: The addresses from which they were tried.
    """

    messages: list[Message] = field(default_factory=list)
    owners: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    proxies: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    ways: dict[str, str] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)


def heard(result: Result) -> Heard:
    """Read what the program printed.

    Raises:
        ValueError: It did not end, or printed something else; with its own words.
    """
    *lines, last = result.stdout.splitlines() or [""]
    if not result.ok or last != "end":
        raise ValueError(result.stderr or "it did not end")
    found = Heard()
    for line in lines:
        match line.split(" "):
            case ["dhcp", wish, kind, mac, sender, address, *options]:
                pairs = (option.split("=") for option in options)
                known = {int(code): bytes.fromhex(value) for code, value in pairs}
                found.messages.append(Message(wish, int(kind), mac, sender, IPv4Address(address), known))
            case ["arp", address, mac]:
                found.owners[address].append(mac)
            case ["proxy", address, mac]:
                found.proxies[mac].append(address)
            case ["way", name, *answer]:
                found.ways[name] = " ".join(answer)
            case ["source", address]:
                found.sources.append(address)
            case _:
                raise ValueError(line)
    return found


def has_room(lab: Plan) -> bool:
    """The pool has addresses to spare for new clients, also where its servers halve it."""
    return len(lab.pool) >= 2 * (len(lab.clients) + 3)


def asks_inside(lab: Plan, me: MachinePlan) -> bool:
    """This is the machine beside which a new client asks."""
    return bool(lab.clients) and me == lab.clients[0]


def inside(lab: Plan, wishes: Sequence[Wish]) -> str:
    """Return the probe of a new client: addresses, ways through each server, and who is on the wire."""
    served, servers = lab.served, lab.server_addresses
    words = [wish.words for wish in wishes] if has_room(lab) else []
    words += [f"gate,{mark},{address}" for mark, address in enumerate(servers.values(), 1)]
    words += [f"arp,{address},1" for address in servers.values()]
    for first, last in _scanned(served):
        words += [f"scan,{first},{last}"]
        words += [f"proxy,{server.nic(served.name).mac},{first},{last}" for server in lab.servers]
    beyond = lab.upstream.resolvers[0]
    words += [f"proxy,{server.nic(served.name).mac},{beyond},{beyond}" for server in lab.servers]
    for mark, server in enumerate(lab.servers, 1):
        words += (way.words(mark) for way in (*ways(lab, server), *name_ways(lab, server)))
    (nic,) = lab.clients[0].nics
    return _probe(nic, words)


@dataclass(frozen=True)
class Way:
    """Somewhere that is gone to from an address of the pool, through a server.

    Attributes:
        expected: What must come of it; empty: any address that a resolver tells.
    """

    name: str
    kind: str
    source: int
    address: IPv4Address
    what: str
    expected: str

    def words(self, mark: int) -> str:
        """As the program reads it."""
        return f"way,{self.name},{self.kind},{mark},{self.source},{self.address},{self.what}"


def ways(lab: Plan, server: MachinePlan) -> Iterator[Way]:
    """Return the ways to the world through a server; what a real one lets through nobody knows but DNS."""
    world, resolver = lab.upstream, lab.upstream.resolvers[0]
    known = f"rcode 0 1 {world.witness.address}" if world.witness else ""
    for source in range(_SOURCES):

        def way(kind: str, address: IPv4Address, what: object, expected: str, source: int = source) -> Way:
            return Way(f"{server.name}/{source}/{kind}", kind, source, address, str(what), expected)

        yield way("dns", resolver, world.name, known)
        if world.witness is not None:
            yield way("dnstcp", resolver, world.name, known)
            yield way("read", world.witness.address, world.witness.port, str(server.address(lab.uplink.name).ip))
            yield way("tcp", world.witness.address, 443, REFUSED)  # nobody listens: so says the world itself
            yield way("udp", world.witness.address, 9, REFUSED)
            yield way("icmp", world.witness.address, FULL_SIZE, f"echo {FULL_SIZE}")
        else:
            yield way("icmp", server.address(lab.served.name).ip, FULL_SIZE, f"echo {FULL_SIZE}")


def name_ways(lab: Plan, server: MachinePlan) -> Iterator[Way]:
    """Return how a server is asked for its own name, by UDP and TCP."""
    address = server.address(lab.served.name).ip
    for source in range(_SOURCES):
        for kind in ("dns", "dnstcp"):
            name, own = f"{server.name}/{source}/own-{kind}", f"{server.name}.{lab.dns.domain}"
            yield Way(name, kind, source, address, own, f"rcode 0 1 {address}")


def leases(lab: Plan) -> tuple[str, ...]:
    """Return the checks without which there is no address from which a way could be gone."""
    return tuple(f"newcomer.{server.name}" for server in lab.servers)


def strayed(found: Heard, wanted: Iterator[Way]) -> list[str]:
    """Return the ways that did not lead where they should, in words."""
    wrong = []
    for way in wanted:
        if way.source >= len(found.sources):
            continue
        seen = found.ways.get(way.name, "no answer")
        right = seen == way.expected if way.expected else seen.startswith("rcode 0 ") and seen.split()[2] != "0"
        if not right:
            wrong.append(f"{found.sources[way.source]} > {way.address} {way.kind} {way.what}: {seen}")
    return wrong if found.sources else ["no address was leased to go there from"]


def asks_outside(lab: Plan, me: MachinePlan) -> bool:
    """Beside this server's NIC anybody on the LAN asks the other server: only where the LAN is the lab's own."""
    return lab.pair is not None and "server" in me.roles and lab.upstream.witness is not None


def outside(lab: Plan, me: MachinePlan) -> str:
    """Return the probe of anybody on the simulated LAN, who asks the partner of this server."""
    uplink = lab.uplink
    partner = _partner(lab, me)
    asked = partner.address(uplink.name).ip
    words = [f"gate,1,{asked}", f"source,{uplink.subnet.broadcast_address - 1}/{uplink.subnet.prefixlen}"]
    words += [Wish("outside", LATE, (), takes="nothing").words]
    words += [f"arp,{asked},1", f"arp,{uplink.gateway},1", f"arp,{me.address(uplink.name).ip},0"]
    words += (way.words(1) for way in outside_ways(lab, me))
    return _probe(me.nic(uplink.name), words)


def outside_ways(lab: Plan, me: MachinePlan) -> Iterator[Way]:
    """Return how anybody on the LAN asks the partner for names of the lab and of the world."""
    partner = _partner(lab, me)
    for network in (lab.uplink, lab.served):
        for kind in ("dns", "dnstcp"):
            for name in (f"{partner.name}.{lab.dns.domain}", lab.upstream.name):
                address = partner.address(network.name).ip
                yield Way(f"{network.name}/{kind}/{name}", kind, 0, address, name, "")


def named(lab: Plan, mac: str) -> str:
    """Return whose a MAC is."""
    owners = (machine.name for machine in lab.machines for nic in machine.nics if nic.mac == mac)
    return f"{next(owners, 'a stranger')} ({mac})"


def _partner(lab: Plan, me: MachinePlan) -> MachinePlan:
    assert lab.pair is not None  # noqa: S101  asks_outside
    return lab.machine(lab.pair.partner(me.name).name)


def _scanned(network: Network) -> Iterator[tuple[IPv4Address, IPv4Address]]:
    """The whole network; of a large one, what DHCP leases, as far as it goes."""
    subnet, pool = network.subnet, network.pool
    if subnet.num_addresses <= _SCANNED:
        yield subnet[1], subnet[-2]
    elif pool is not None:
        yield pool.start, min(pool.end, pool.start + _SCANNED)


def _probe(nic: Nic, words: Sequence[str]) -> str:
    hearing = ["perl", "-e", _HEAR_ALL, nic.name, "unshare", "-n"]
    program = shlex.join([*hearing, "perl", "-e", _PROGRAM, nic.name, _OWN_MAC, f"{_LISTEN_S}", *words])
    return f"exec {_ONE_AT_A_TIME} {program}"
