"""What the rules look at, whatever the engine, and what they find."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address
from typing import Literal

from labbuilder.lint.source import Place
from labbuilder.lint.space import Network, Space, merged
from labbuilder.lint.versions import RELEASES, Release

Engine = Literal["isc", "kea"]
_NUMBER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Setting:
    """A value as it is written, without quotes, and its place."""

    value: str
    place: Place
    meant: str = ""
    """The value by which it is compared, if that is not how it is written: 0x10 is 16, a host name has no case."""

    @property
    def compared(self) -> str:
        """What two of them are compared by."""
        return self.meant or self.value

    @property
    def number(self) -> int | None:
        """The value as a whole number, if it is one: dhcpd.conf takes expressions too."""
        return int(self.value) if _NUMBER.fullmatch(self.value) else None


Settings = Mapping[str, Setting]


@dataclass(frozen=True, slots=True)
class Range:
    """Addresses from first to last, both included."""

    first: int
    last: int
    place: Place

    def __str__(self) -> str:
        return span(self.first, self.last)


class Level:
    """Something at which settings are said or in effect."""

    place: Place
    settings: Settings

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of a setting, else the default."""
        return self.settings[name].value if name in self.settings else default

    def at(self, name: str) -> Place:
        """The setting's place, or that of the level where it is not said."""
        return self.settings[name].place if name in self.settings else self.place


@dataclass(frozen=True)
class Pool(Level):
    """Addresses that are handed out to any client, and what holds for them."""

    place: Place
    ranges: tuple[Range, ...]
    relation: Setting | None = None
    """ISC: the failover peer it refers to."""
    classes: tuple[str, ...] = ()
    """Kea: the client classes it is for."""
    permits: tuple[Setting, ...] = ()
    """ISC: its allow and deny statements, and dynamic-bootp of a range."""
    settings: Settings = field(default_factory=dict)
    """In effect here, from wherever they are inherited: parameters by name, options as ``option NAME``."""
    direct: bool = False
    """ISC: it refers to its failover peer itself; else it has that of its shared network."""
    networks: tuple[Network, ...] = ()
    """ISC: the subnets to which its ranges may belong."""
    server: str | None = None
    """Kea: the peer of whose relationship it is (``user-context.ha-server-name``)."""


@dataclass(frozen=True)
class Subnet(Level):
    """A subnet, and what holds in it."""

    place: Place
    network: Network
    settings: Settings = field(default_factory=dict)
    """In effect here, as those of a pool."""
    identity: Setting | None = None
    """Kea: its id, said or given by Kea."""
    identity_said: bool = True
    shared: str | None = None
    """The name of the shared network around it."""
    server: str | None = None
    """Kea: as of a pool."""


@dataclass(frozen=True)
class Host(Level):
    """What is kept for one client: an address, or a name that is looked up, or settings alone."""

    place: Place
    client: str
    address: IPv4Address | None
    """None: a name is looked up, or other things are kept for it."""
    name: str = ""
    """ISC: the name in place of an address."""
    settings: Settings = field(default_factory=dict)
    """What is kept beside the address."""
    where: str = ""
    """Kea: the subnet in which it is kept."""
    server: str | None = None
    """Kea: as of a pool."""


@dataclass(frozen=True, slots=True)
class Named:
    """ISC: a name of some kind, such as that of a failover peer, and where it stands."""

    kind: str
    name: str
    place: Place
    other: Place | None = None
    """Where else it stands."""


@dataclass(frozen=True)
class Member:
    """Kea: one entry of a relation's list of peers."""

    place: Place
    name: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Relation(Level):
    """A failover peer of dhcpd, or a high-availability relationship of Kea."""

    name: str
    place: Place
    settings: Settings
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """Kea: what the daemon refuses in one file, whatever the partner says."""

    rule: str
    """The rule that tells it."""
    place: Place
    what: str
    releases: frozenset[Release] = frozenset(RELEASES)
    """In which releases it is one."""
    other: Place | None = None


@dataclass(frozen=True)
class Peer(Level):
    """One server's configuration."""

    engine: Engine
    place: Place
    relations: tuple[Relation, ...]
    subnets: tuple[Subnet, ...]
    pools: tuple[Pool, ...]
    hosts: tuple[Host, ...]
    settings: Settings
    """What holds for the whole server."""
    keys: Settings
    """Keys for OMAPI by name: algorithm and secret."""
    libraries: Settings = field(default_factory=dict)
    """Kea: hook libraries by file name."""
    includes: tuple[Setting, ...] = ()
    faults: tuple[Fault, ...] = ()
    classes: Settings = field(default_factory=dict)
    """Client classes by name, with all that they say; of dhcpd subclasses too, by name and value."""
    definitions: Settings = field(default_factory=dict)
    """Its own option definitions by name."""
    unrelated: tuple[tuple[Place, str], ...] = ()
    """Kea: subnets that belong to none of several relationships, and how."""
    unknown: tuple[Named, ...] = ()
    """ISC: names that are used before they are declared, or without; `other` is a later declaration."""
    again: tuple[Named, ...] = ()
    """ISC: names that are declared once more; `other` is the first declaration."""
    idle: tuple[Setting, ...] = ()
    """ISC: words that dhcpd takes for expressions, which do nothing; what they mean is the statement that is near."""

    @cached_property
    def space(self) -> Space:
        """The addresses of all pools."""
        return Space([entry for pool in self.pools for entry in pool.ranges])


@dataclass(frozen=True)
class Pair:
    """Both peers, and the relations that are two ends of the same."""

    a: Peer
    b: Peer
    clients: int | None = None
    cold_standby: bool = False
    """The second server is off until it is needed: there is no failover, and all pools are shared."""
    releases: tuple[Release, ...] = RELEASES
    """Kea: those that may run the two."""

    @property
    def alone(self) -> bool:
        """There is one file: it is both peers, and nothing in it differs from the partner's."""
        return self.a is self.b

    @property
    def peers(self) -> tuple[Peer, Peer]:
        """Both."""
        return self.a, self.b

    @property
    def sides(self) -> tuple[tuple[Peer, Peer], tuple[Peer, Peer]]:
        """Each peer with its partner."""
        return (self.a, self.b), (self.b, self.a)

    @cached_property
    def relations(self) -> tuple[tuple[Relation, Relation], ...]:
        """The relations that the two share: of the same name; lone ones belong together whatever they are called."""
        if len(self.a.relations) == len(self.b.relations) == 1:
            return ((self.a.relations[0], self.b.relations[0]),)
        others = {relation.name: relation for relation in self.b.relations}
        return tuple((mine, others[mine.name]) for mine in self.a.relations if mine.name in others)

    @property
    def ends(self) -> Iterator[tuple[Peer, Relation, Relation]]:
        """Each end of each relation: whose it is, the end, the other end."""
        for a, b in self.relations:
            yield self.a, a, b
            yield self.b, b, a

    @property
    def declared(self) -> Iterator[tuple[Peer, Relation, Relation | None]]:
        """Each relation of each peer, with the partner's end if it is shared with that."""
        for peer in self.peers:
            for relation in peer.relations:
                yield peer, relation, self.other_end(peer, relation)

    def other_end(self, peer: Peer, relation: Relation) -> Relation | None:
        """The partner's end of a relation; None: it is with another machine."""
        mine = 0 if peer is self.a else 1
        return next((both[1 - mine] for both in self.relations if both[mine] is relation), None)

    @cached_property
    def levels(self) -> tuple[tuple[Level, Level], ...]:
        """Subnets, pools of the same addresses in whatever pieces, and hosts that both have, in pairs."""
        found: list[tuple[Level, Level]] = []
        networks = {subnet.network: subnet for subnet in self.b.subnets}
        found += [(mine, networks[mine.network]) for mine in self.a.subnets if mine.network in networks]
        found += self.same_pools
        if self.a.engine == "kea":
            return tuple(found)
        clients = {host.client: host for host in self.b.hosts if host.client}
        found += [(mine, clients[mine.client]) for mine in self.a.hosts if mine.client in clients]
        return tuple(found)

    @cached_property
    def same_pools(self) -> tuple[tuple[Pool, Pool], ...]:
        """Pools of the same addresses, in pairs."""
        pools = {merged(pool.ranges): pool for pool in self.b.pools}
        keys = ((mine, merged(mine.ranges)) for mine in self.a.pools)
        return tuple((mine, pools[key]) for mine, key in keys if key in pools)

    @cached_property
    def different(self) -> tuple[tuple[str, Level, Level], ...]:
        """Settings in effect that differ, at the levels that both have: name, there, here; each pair of places once."""
        seen = set()
        found = []
        for mine, theirs in self.levels:
            for name in mine.settings.keys() | theirs.settings.keys():
                a, b = mine.settings.get(name), theirs.settings.get(name)
                if a and b and a.compared == b.compared:
                    continue
                places = (name, a.place if a else None, b.place if b else None)
                if places not in seen:
                    seen.add(places)
                    found.append((name, mine, theirs))
        return tuple(sorted(found, key=lambda entry: entry[0]))

    @property
    def hub(self) -> bool:
        """Whether one of the two has relations with other machines as well."""
        return any(other is None for _, _, other in self.declared) and bool(self.relations)


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """Addresses are handed out twice, or the pair doesn't work."""
    WARNING = "warning"
    """It works, but not as somebody who wrote this will expect."""
    NOTE = "note"
    """Worth knowing; may be as it is meant."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a rule is broken, and by what; `other` is the place in the partner's file."""

    where: Place
    what: str
    other: Place | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong with a pair."""

    id: str
    severity: Severity
    engines: tuple[Engine, ...]
    why: str
    mend: str
    source: str
    find: Callable[[Pair], Iterable[Hit]] = field(repr=False, compare=False)
    needs_partner: bool = False
    """It compares: one file alone can't break it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule: where, what was seen, why it matters, how to mend it."""

    rule: str
    severity: Severity
    where: Place
    what: str
    why: str
    mend: str
    source: str
    other: Place | None = None


def span(first: int, last: int) -> str:
    """A range of addresses, as people write it."""
    return str(IPv4Address(first)) if first == last else f"{IPv4Address(first)}-{IPv4Address(last)}"
