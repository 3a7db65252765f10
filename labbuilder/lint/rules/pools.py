"""Rules on what is handed out: pools, subnets, options, lease times, kept addresses; both engines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from urllib.parse import urlsplit

from labbuilder.lint.model import Hit, Pair, Peer, Pool, Range, Subnet, span
from labbuilder.lint.rules.base import BOTH, FAILOVER, ISC, KEA_HA, Rules, difference
from labbuilder.lint.source import Place
from labbuilder.lint.space import Space, Spans, merged

rules = Rules(BOTH, f"{FAILOVER}; {KEA_HA}")

_LEASE_TIMES = {
    "isc": ("default-lease-time", "max-lease-time", "min-lease-time"),
    "kea": ("valid-lifetime", "min-valid-lifetime", "max-valid-lifetime", "renew-timer", "rebind-timer"),
}
# A server may hand out itself as router and resolver: it is what labbuilder does.
_OF_THE_SERVER = {"option routers", "option domain-name-servers", "option dhcp-server-identifier"}
_SHOWN = 3


def _shared(pair: Pair, peer: Peer) -> list[Pool]:
    """The pools that both servers should have."""
    return [pool for pool in peer.pools if peer.engine == "kea" or pool.relation or pair.cold_standby]


def _ranges(pools: list[Pool] | tuple[Pool, ...]) -> list[Range]:
    return [entry for pool in pools for entry in pool.ranges]


def _spans(spans: Spans) -> str:
    more = f" and {len(spans) - _SHOWN} more" if len(spans) > _SHOWN else ""
    return ", ".join(span(*ends) for ends in spans[:_SHOWN]) + more


@rules.error(
    "pool-differs",
    needs_partner=True,
    why="a lease of an address that the partner does not have in its pool is lost when it takes over",
    mend="write the same ranges in both files, best in one file that both include",
)
def pool_differs(pair: Pair) -> Iterator[Hit]:
    for peer, partner in pair.sides:
        theirs = Space(_ranges(partner.pools))
        for pool in _shared(pair, peer):
            for entry in pool.ranges:
                if lacking := theirs.lacking(entry):
                    yield Hit(entry.place, f"the partner's pools lack {_spans(lacking)}", _nearest(pool, partner))


def _nearest(pool: Pool, partner: Peer) -> Place | None:
    """The partner's pool of which this one should be the same."""
    mine = IPv4Address(pool.ranges[0].first)
    networks = [subnet.network for subnet in partner.subnets if mine in subnet.network]
    pools = [p for p in partner.pools for n in networks if p.ranges and IPv4Address(p.ranges[0].first) in n]
    return pools[0].place if pools else None


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
        theirs = Space(_ranges(partner.pools))
        for pool in (pool for pool in peer.pools if not pool.relation):
            for entry in pool.ranges:
                if common := theirs.common(entry):
                    yield Hit(entry.place, f"{_spans(common)} without failover, and the partner has them too")


@rules.error(
    "pool-relation-unknown",
    engines=ISC,
    why="dhcpd refuses a pool whose failover peer it does not know",
    mend="refer to a failover peer that this file declares",
    source=FAILOVER,
)
def pool_relation_unknown(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        names = {relation.name for relation in peer.relations}
        for pool in peer.pools:
            if pool.relation and names and pool.relation.value not in names:
                yield Hit(pool.relation.place, f'failover peer "{pool.relation.value}" is not declared')


@rules.error(
    "relation-unused",
    engines=ISC,
    why="dhcpd refuses a failover peer to which no pool refers, and failover would share nothing",
    mend='write failover peer "NAME"; in at least one pool',
    source=FAILOVER,
)
def relation_unused(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        for relation in peer.relations:
            names = {pool.relation.value for pool in peer.pools if pool.relation}
            if not names or (len(peer.relations) > 1 and relation.name not in names):
                yield Hit(relation.place, f'no pool refers to failover peer "{relation.name}"')


@rules.error(
    "dynamic-bootp",
    engines=ISC,
    why="a BOOTP lease never ends, so the partner could never take it over: failover does not permit it",
    mend="take dynamic-bootp and allow dynamic bootp clients out of the pool, or give it a pool with no failover peer",
    source="dhcpd's server/confpars.c refuses it; draft-ietf-dhc-failover-12",
)
def dynamic_bootp(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        for pool in _shared(pair, peer):
            for permit in pool.permits:
                if permit.value in {"range dynamic-bootp", "allow dynamic bootp clients"}:
                    yield Hit(permit.place, permit.value)


@rules.warning(
    "permits-differ",
    needs_partner=True,
    engines=ISC,
    why="a client that one server serves is refused by the other: it loses its lease at the takeover",
    mend="write the same allow and deny statements in the pool on both",
    source=FAILOVER,
)
def permits_differ(pair: Pair) -> Iterator[Hit]:
    for mine, theirs in _same_pools(_shared(pair, pair.a), _shared(pair, pair.b)):
        a, b = ({p.value for p in pool.permits if not p.value.startswith("range")} for pool in (mine, theirs))
        if a != b:
            yield Hit(theirs.place, f"only on one of the two: {', '.join(sorted(a ^ b))}", mine.place)


@rules.error(
    "subnet-differs",
    needs_partner=True,
    why="a server answers clients of the networks alone that it knows, with the netmask it has there",
    mend="write the same subnet and netmask in both files",
)
def subnet_differs(pair: Pair) -> Iterator[Hit]:
    for peer, partner in pair.sides:
        networks = {subnet.network for subnet in partner.subnets}
        serving = Space(_ranges(_shared(pair, peer)))
        for subnet in peer.subnets:
            served = peer.engine == "kea" or serving.begins_in(subnet.network)
            if served and subnet.network not in networks:
                near = [s for s in partner.subnets if s.network.overlaps(subnet.network)]
                if near and peer is pair.b:
                    continue  # said once, from the other side
                seen = f"; it has {near[0].network}" if near else ""
                other = near[0].place if near else None
                yield Hit(subnet.place, f"the partner lacks the subnet {subnet.network}{seen}", other)


def _common(pair: Pair) -> Iterator[tuple[Subnet, Subnet]]:
    others = {subnet.network: subnet for subnet in pair.b.subnets}
    return ((mine, others[mine.network]) for mine in pair.a.subnets if mine.network in others)


def _levels(pair: Pair) -> Iterator[tuple[Subnet | Pool, Subnet | Pool]]:
    """Subnets and pools that both have, in pairs."""
    yield from _common(pair)
    yield from _same_pools(pair.a.pools, pair.b.pools)


def _same_pools(mine: Iterable[Pool], theirs: Iterable[Pool]) -> Iterator[tuple[Pool, Pool]]:
    """Pools of the same addresses, in whatever pieces."""
    others = {tuple(merged(pool.ranges)): pool for pool in theirs}
    return ((pool, others[key]) for pool in mine if (key := tuple(merged(pool.ranges))) in others)


def _different(pair: Pair, names: set[str] | None) -> Iterator[Hit]:
    """Settings in effect that differ; each pair of places once. `names`: these alone, else all options but these."""
    seen = set()
    for mine, theirs in _levels(pair):
        for name in sorted(mine.settings.keys() | theirs.settings.keys()):
            if (name not in names) if names is not None else (name in _OF_THE_SERVER or not name.startswith("option ")):
                continue
            places = (
                name,
                *(level.settings[name].place if name in level.settings else None for level in (mine, theirs)),
            )
            if places not in seen:
                seen.add(places)
                yield from difference(theirs, mine, name)


@rules.warning(
    "options-differ",
    needs_partner=True,
    why="what a client is told depends on which server answered, and changes at the takeover",
    mend="write the same options on both",
)
def options_differ(pair: Pair) -> Iterator[Hit]:
    return _different(pair, None)


@rules.note(
    "routers-differ",
    needs_partner=True,
    why="right when each server is a gateway or resolver itself; else clients lose theirs at the takeover",
    mend="nothing, if it is meant; else write the same routers and domain-name-servers on both",
    source="the guide's lab: each server hands itself out",
)
def routers_differ(pair: Pair) -> Iterator[Hit]:
    return _different(pair, _OF_THE_SERVER)


@rules.warning(
    "lease-times-differ",
    needs_partner=True,
    why="a client's lease gets longer or shorter with the server that answers, and outages last as long as the longer",
    mend="write the same lease times on both",
)
def lease_times_differ(pair: Pair) -> Iterator[Hit]:
    return _different(pair, set(_LEASE_TIMES[pair.a.engine]))


@rules.warning(
    "authoritative-differs",
    needs_partner=True,
    why="a client from another network is told at once to ask anew (DHCPNAK) by one server, and ignored by the other",
    mend="write authoritative on both, or on neither",
    source="dhcpd.conf(5), The authoritative statement; Kea ARM, authoritative",
)
def authoritative_differs(pair: Pair) -> Iterator[Hit]:
    values = []
    for peer in (pair.a, pair.b):
        setting = peer.settings.get("authoritative")
        values.append(setting is not None and setting.value not in {"not", "false"})
    if values[0] != values[1]:
        is_not = "is" if values[1] else "is not"
        yield Hit(pair.b.at("authoritative"), f"this server {is_not} authoritative", pair.a.at("authoritative"))


@rules.warning(
    "hosts-differ",
    needs_partner=True,
    why="the client keeps its address only while the server that knows of it answers",
    mend="write the same host declarations on both, best in one file that both include",
    source="dhcpd.conf(5), The host statement; Kea ARM, Host Reservations",
)
def hosts_differ(pair: Pair) -> Iterator[Hit]:
    for peer, partner in pair.sides:
        known = {(host.client, host.address) for host in partner.hosts}
        for host in peer.hosts:
            if host.address is not None and (host.client, host.address) not in known:
                yield Hit(host.place, f"the partner does not keep {host.address} for this client")


@rules.warning(
    "host-in-pool",
    engines=ISC,
    why="dhcpd does not take a fixed address out of the pool: another client may have it",
    mend="choose a fixed-address outside of every range",
    source="dhcpd.conf(5), The host statement",
)
def host_in_pool(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        space = Space(_ranges(peer.pools))
        for host in peer.hosts:
            if entry := space.holding(host.address):
                yield Hit(host.place, f"{host.address} is in {entry}", entry.place)


@rules.error(
    "router-in-pool",
    why="a client can be given the gateway's own address, and cuts off everybody",
    mend="take the router's address out of the range",
    source="dhcpd.conf(5), The range statement",
)
def router_in_pool(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        levels: tuple[Subnet | Pool, ...] = (*peer.subnets, *peer.pools)
        found = [level.settings["option routers"] for level in levels if "option routers" in level.settings]
        routers = {setting.place: setting for setting in found}
        space = Space(_ranges(peer.pools))
        for setting in routers.values():
            for word in setting.value.split(","):
                if entry := space.holding(_address(word)):
                    yield Hit(setting.place, f"the router {word.strip()} is in {entry}", entry.place)


@rules.error(
    "server-in-pool",
    why="a client can be given a server's own address, and cuts it off from its partner",
    mend="take both servers' addresses out of the range",
    source="dhcpd.conf(5), The range statement",
)
def server_in_pool(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        space = Space(_ranges(peer.pools))
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


def _address(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text.strip())
    except ValueError:
        return None  # a name: nobody is asked for it here


@rules.note(
    "include-relative",
    why="the daemon looks for it in the folder in which it was started, / under systemd: not beside this file",
    mend="write the whole path",
    source="dhcpd's server/confpars.c, Kea's dhcp4_lexer.ll: the name is opened as it is",
)
def include_relative(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        for include in peer.includes:
            if not include.value.startswith("/"):
                yield Hit(include.place, f"the include of {include.value} is relative")
