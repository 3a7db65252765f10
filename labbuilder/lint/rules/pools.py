"""Rules on what is handed out: pools, subnets, the addresses in them; both engines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address
from urllib.parse import urlsplit

from labbuilder.lint.model import Hit, Level, Pair, Peer, Pool, Range, Subnet, span
from labbuilder.lint.rules.base import BOTH, FAILOVER, ISC, KEA_HA, Rules
from labbuilder.lint.source import Place
from labbuilder.lint.space import Network, Networks, Space, Spans, overlap

rules = Rules(BOTH, f"{FAILOVER}; {KEA_HA}")

_SHOWN = 3


def _shared(pair: Pair, peer: Peer) -> list[tuple[Pool, str | None]]:
    """The pools that both servers should have, with the partner's name for their relation."""
    if pair.cold_standby:
        return [(pool, None) for pool in peer.pools]
    names = {end.name: other.name for of, end, other in pair.declared if of is peer and other is not None}
    if peer.engine == "kea":
        return [(p, None) for p in peer.pools if p.relation is None or p.relation.value in names]
    return [(p, names[p.relation.value]) for p in peer.pools if p.relation and p.relation.value in names]


def _ranges(pools: Iterable[Pool]) -> list[Range]:
    return [entry for pool in pools for entry in pool.ranges]


def _spans(spans: Spans) -> str:
    more = f" and {len(spans) - _SHOWN} more" if len(spans) > _SHOWN else ""
    return ", ".join(span(*ends) for ends in spans[:_SHOWN]) + more


@rules.error(
    "pool-differs",
    needs_partner=True,
    why="a lease of an address that the partner does not have in its pool of the same relation is refused by it, and "
    "lost when it takes over",
    mend="write the same ranges in both files, for the same failover peer; best in one file that both include",
)
def pool_differs(pair: Pair) -> Iterator[Hit]:
    for peer, partner in pair.sides:
        spaces: dict[str | None, Space] = {None: partner.space}
        near = _Nearest(partner)
        for pool, name in _shared(pair, peer):
            if name not in spaces:
                of = (p for p in partner.pools if p.relation and p.relation.value == name)
                spaces[name] = Space(_ranges(of))
            for entry in pool.ranges:
                if lacking := spaces[name].lacking(entry):
                    yield Hit(entry.place, _lacking(lacking, entry, spaces[None], name), near.pool(pool))


def _lacking(lacking: Spans, entry: Range, everything: Space, name: str | None) -> str:
    if name is not None and not everything.lacking(entry):
        return f'the partner has {_spans(lacking)} in no pool of failover peer "{name}", but in another'
    return f"the partner's pools lack {_spans(lacking)}"


class _Nearest:
    """The partner's pool of which one should be the same."""

    def __init__(self, partner: Peer) -> None:
        self._networks = Networks(subnet.network for subnet in partner.subnets)
        self._places: dict[object, Place] = {}
        for pool in partner.pools:
            if pool.ranges:
                network = self._networks.holding(IPv4Address(pool.ranges[0].first))
                self._places.setdefault(network, pool.place)

    def pool(self, pool: Pool) -> Place | None:
        network = self._networks.holding(IPv4Address(pool.ranges[0].first))
        return self._places.get(network) if network else None


@rules.error(
    "pool-without-failover",
    needs_partner=True,
    engines=ISC,
    why="both servers hand out these addresses, and this one does not tell the other: addresses are given twice",
    mend='write failover peer "NAME"; in the pool; a range outside of a pool must be put into one',
    source=FAILOVER,
)
def pool_without_failover(pair: Pair) -> Iterator[Hit]:
    for peer, partner in pair.sides if not pair.cold_standby else ():
        theirs = partner.space
        for pool in (pool for pool in peer.pools if not pool.relation):
            for entry in pool.ranges:
                if common := theirs.common(entry):
                    yield Hit(entry.place, f"{_spans(common)} without failover, and the partner has them too")


@rules.error(
    "relation-unused",
    engines=ISC,
    why="dhcpd does not start with a failover peer that no pool names itself; to name it at the shared network is not "
    "enough",
    mend='write failover peer "NAME"; in at least one pool',
    source="dhcpd 4.4, dhcp_failover_sanity_check of server/failover.c and parse_pool_statement of server/confpars.c",
)
def relation_unused(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        names = {pool.relation.value for pool in peer.pools if pool.relation and pool.direct}
        for relation in peer.relations:
            if relation.name not in names:
                yield Hit(relation.place, f'no pool refers to failover peer "{relation.name}"')


@rules.error(
    "dynamic-bootp",
    engines=ISC,
    why="dhcpd does not start: a BOOTP lease never ends, so the partner could never take it over",
    mend="take dynamic-bootp out of the range, or give it a pool with no failover peer",
    source="dhcpd 4.4, parse_address_range of server/confpars.c",
)
def dynamic_bootp(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        for pool in peer.pools:
            for permit in pool.permits:
                if pool.relation and permit.value == "range dynamic-bootp":
                    yield Hit(permit.place, permit.value)


@rules.warning(
    "bootp-in-failover",
    engines=ISC,
    why="a lease for BOOTP never ends: its address is lost to the pool, and to failover's balance",
    mend="write deny dynamic bootp clients; in the pool, or give BOOTP a pool with no failover peer",
    source=f"{FAILOVER}: dynamic BOOTP is not compatible with failover",
)
def bootp_in_failover(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        for pool in peer.pools:
            for permit in pool.permits:
                if pool.relation and permit.value == "allow dynamic bootp clients":
                    yield Hit(permit.place, permit.value)


@rules.error(
    "subnet-differs",
    needs_partner=True,
    why="a server answers clients of the networks alone that it knows, with the netmask it has there",
    mend="write the same subnet and netmask in both files",
)
def subnet_differs(pair: Pair) -> Iterator[Hit]:
    for peer, partner in pair.sides:
        networks = {subnet.network for subnet in partner.subnets}
        serving = Space(_ranges(pool for pool, _ in _shared(pair, peer)))
        for subnet in peer.subnets:
            if subnet.network in networks:
                continue
            if serving.begins_in(subnet.network) or (peer.engine == "kea" and not pair.hub):
                near = [s for s in partner.subnets if overlap(s.network, subnet.network)]
                if near and peer is pair.b:
                    continue  # said once, from the other side
                seen = f"; it has {near[0].network}" if near else ""
                other = near[0].place if near else None
                yield Hit(subnet.place, f"the partner lacks the subnet {subnet.network}{seen}", other)


@rules.warning(
    "shared-network-differs",
    needs_partner=True,
    engines=ISC,
    why="a client whose address is of another subnet of its network keeps it with one server, and is told to give it "
    "up by the other",
    mend="put the same subnets into the same shared networks on both",
    source="dhcpd.conf(5), The shared-network statement",
)
def shared_network_differs(pair: Pair) -> Iterator[Hit]:
    there = {subnet.network: subnet for subnet in pair.a.subnets}
    both = [(there[subnet.network], subnet) for subnet in pair.b.subnets if subnet.network in there]
    known = {subnet.network for _, subnet in both}
    a, b = (_beside([of[i] for of in both], known) for i in (0, 1))
    for theirs, mine in both:
        if a[theirs.network] != b[mine.network]:
            shown = [f"in the shared network {s.shared}" if s.shared else "by itself" for s in (mine, theirs)]
            yield Hit(mine.place, f"{mine.network} is {shown[0]} here, {shown[1]} there", theirs.place)


def _beside(subnets: list[Subnet], known: set[Network]) -> dict[Network, frozenset[Network]]:
    """The subnets on the same wire as each, among those that both have."""
    wires: dict[str, set[Network]] = {}
    for subnet in subnets:
        if subnet.shared:
            wires.setdefault(subnet.shared, set()).add(subnet.network)
    whole = {name: frozenset(wire & known) for name, wire in wires.items()}
    return {s.network: whole[s.shared] if s.shared else frozenset({s.network}) for s in subnets}


@rules.error(
    "range-outside-subnet",
    engines=ISC,
    why="dhcpd does not start: a range belongs to the subnet in which it stands, that of a shared network to one of "
    "the subnets before it",
    mend="put the range into its subnet, or the pool behind the subnet",
    source="dhcpd 4.4, new_address_range of server/mdb.c and parse_address_range of server/confpars.c",
)
def range_outside_subnet(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        for pool in peer.pools:
            for entry in pool.ranges:
                first, last = IPv4Address(entry.first), IPv4Address(entry.last)
                if not any(first in network and last in network for network in pool.networks):
                    of = ", ".join(str(network) for network in pool.networks[:_SHOWN]) or "any subnet before it"
                    yield Hit(entry.place, f"{entry} is outside of {of}")


@rules.error(
    "range-twice",
    engines=ISC,
    why="dhcpd does not start: an address is declared in two ranges",
    mend="let the ranges not overlap",
    source="dhcpd 4.4, new_address_range of server/mdb.c",
)
def range_twice(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        ranges = sorted(_ranges(peer.pools), key=lambda entry: (entry.first, entry.last))
        before: Range | None = None
        for entry in ranges:
            if before is not None and entry.first <= before.last:
                common = span(entry.first, min(entry.last, before.last))
                later, earlier = sorted((entry, before), key=lambda one: one.place, reverse=True)
                yield Hit(later.place, f"{common} is in another range too", earlier.place)
            if before is None or entry.last > before.last:
                before = entry


@rules.warning(
    "subnet-overlaps",
    engines=ISC,
    why="dhcpd warns of it: which of the two an address belongs to depends on their order",
    mend="declare each network once, with its own netmask",
    source="dhcpd 4.4, enter_subnet of server/mdb.c",
)
def subnet_overlaps(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        ordered = sorted(peer.subnets, key=lambda subnet: int(subnet.network[0]))
        widest: Subnet | None = None
        for subnet in ordered:
            if widest is not None and overlap(widest.network, subnet.network):
                yield Hit(subnet.place, f"{subnet.network} overlaps {widest.network}", widest.place)
            if widest is None or subnet.network[-1] > widest.network[-1]:
                widest = subnet


def _routers(levels: Iterable[Level]) -> list[tuple[Level, IPv4Address, Place]]:
    """Each router that is said, with a level where it holds."""
    seen = set()
    found = []
    for level in levels:
        setting = level.settings.get("option routers")
        if setting is None or setting.place in seen:
            continue
        seen.add(setting.place)
        found += [(level, address, setting.place) for word in setting.value.split(",") if (address := _address(word))]
    return found


@rules.error(
    "router-in-pool",
    why="a client can be given the gateway's own address, and cuts off everybody",
    mend="take the router's address out of the range",
    source="dhcpd.conf(5), The range statement",
)
def router_in_pool(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        space = peer.space
        for _, router, place in _routers((*peer.subnets, *peer.pools)):
            if entry := space.holding(router):
                yield Hit(place, f"the router {router} is in {entry}", entry.place)


@rules.warning(
    "router-outside-subnet",
    why="a client reaches no router that is not in its own network, unless it is told a route to it",
    mend="write a router of the subnet",
    source="RFC 2132, 3.5: routers on the client's subnet",
)
def router_outside_subnet(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        for level, router, place in _routers(peer.subnets):
            if isinstance(level, Subnet) and router not in level.network and "option routers" not in peer.settings:
                yield Hit(place, f"the router {router} is outside of {level.network}")


@rules.error(
    "server-in-pool",
    why="a client can be given a server's own address, and cuts it off from its partner",
    mend="take both servers' addresses out of the range",
    source="dhcpd.conf(5), The range statement",
)
def server_in_pool(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        space = peer.space
        for relation in peer.relations:
            found = [(relation.get("address"), relation.at("address"))]
            found += [(host_of(member.values.get("url", "")), member.place) for member in relation.members]
            for text, place in found:
                if entry := space.holding(_address(text or "")):
                    yield Hit(place, f"the server's address {text} is in {entry}", entry.place)


def host_of(url: str) -> str:
    """The host of a peer's URL; empty if there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


@lru_cache(maxsize=65536)
def _address(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text.strip())
    except ValueError:
        return None  # a name: nobody is asked for it here
