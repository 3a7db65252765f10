"""Rules on dhcpd's failover peer declarations: two ends of one relation."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labbuilder.lint.model import Hit, Pair, Peer, Relation, Setting
from labbuilder.lint.rules.base import DRAFT, FAILOVER, ISC, Rules, difference
from labbuilder.lint.space import merged

rules = Rules(ISC, FAILOVER)

PORT = "647"  # IANA's, and dhcpd's where none is said
_SPLIT_MAX = 256
_HBA_BYTES = 32
_SLOW_S = 30
_ALL, _NONE = {"256", ":".join(["ff"] * _HBA_BYTES)}, {"0", ":".join(["00"] * _HBA_BYTES)}


@rules.error(
    "failover-missing",
    needs_partner=True,
    why="without it on both, the two servers know nothing of each other's leases",
    mend='declare failover peer "NAME" { ... } on both servers, with the same name',
)
def failover_missing(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        if not peer.relations and not pair.cold_standby:
            yield Hit(peer.place, "no failover peer is declared")


@rules.error(
    "failover-name",
    needs_partner=True,
    why="each rejects the other's connection (invalid failover partner), and neither serves",
    mend="give the failover peer one name in both files, and in the pools that refer to it",
)
def failover_name(pair: Pair) -> Iterator[Hit]:
    a, b = pair.a.relations, pair.b.relations
    if a and b and not {r.name for r in a} & {r.name for r in b}:
        yield Hit(b[0].place, f'the failover peer is "{b[0].name}" here, "{a[0].name}" there', a[0].place)


@rules.error(
    "roles",
    why="a pair is one primary and one secondary; dhcpd -t takes a declaration without a role too",
    mend="write primary; in one declaration and secondary; in the other",
)
def roles(pair: Pair) -> Iterator[Hit]:
    for a, b in pair.relations:
        for end, other in ((a, b), (b, a)):
            if end.get("role") is None:
                yield Hit(end.place, "neither primary nor secondary is said", other.at("role"))
        if a.get("role") is not None and a.get("role") == b.get("role") and not pair.alone:
            yield Hit(b.at("role"), f"both are {b.get('role')}", a.at("role"))


@rules.error(
    "address-missing",
    why="the address is also the server's identifier in the failover protocol; dhcpd -t does not tell",
    mend="write address with this server's address, and peer address with the partner's",
)
def address_missing(pair: Pair) -> Iterator[Hit]:
    for _, end, other in pair.ends:
        for name in ("address", "peer address"):
            if end.get(name) is None:
                yield Hit(end.place, f"{name} is not said", other.place)


@rules.error(
    "addresses-mirrored",
    needs_partner=True,
    why="each connects to the partner's address from its own: else they never meet, and a new pair serves nobody",
    mend="this server's address must be the partner's peer address",
)
def addresses_mirrored(pair: Pair) -> Iterator[Hit]:
    for _, end, other in pair.ends:
        mine, theirs = end.get("address"), other.get("peer address")
        if mine is not None and theirs is not None and mine != theirs:
            what = f"peer address is {theirs} here, the partner's address is {mine}"
            yield Hit(other.at("peer address"), what, end.at("address"))
    for a, b in pair.relations:
        if a.get("address") is not None and a.get("address") == b.get("address"):
            yield Hit(b.at("address"), f"both have the address {b.get('address')}", a.at("address"))


@rules.error(
    "ports-mirrored",
    needs_partner=True,
    why="one connects to a port where the other does not listen",
    mend="this server's port must be the partner's peer port; leave out both for 647",
)
def ports_mirrored(pair: Pair) -> Iterator[Hit]:
    for _, end, other in pair.ends:
        mine, theirs = end.get("port", PORT), other.get("peer port", PORT)
        if mine != theirs:
            what = f"peer port is {theirs} here, the partner listens on {mine}"
            yield Hit(other.at("peer port"), what, end.at("port"))


def _of(pair: Pair, role: str) -> Iterator[Relation]:
    return (end for _, end, _ in pair.ends if end.get("role") == role)


@rules.error(
    "mclt-missing",
    why="dhcpd refuses a primary without it: it bounds how far the two may differ about a lease",
    mend="write mclt SECONDS on the primary: 60 in a lab, 3600 elsewhere",
)
def mclt_missing(pair: Pair) -> Iterator[Hit]:
    for primary in _of(pair, "primary"):
        if primary.get("mclt") in {None, "0"}:
            yield Hit(primary.at("mclt"), f"mclt is {primary.get('mclt', 'not said')} on the primary")


@rules.error(
    "mclt-on-secondary",
    why="it may not be specified there: the secondary learns it from the primary; dhcpd -t takes it silently",
    mend="take mclt out of the secondary",
)
def mclt_on_secondary(pair: Pair) -> Iterator[Hit]:
    for secondary in _of(pair, "secondary"):
        if "mclt" in secondary.settings:
            yield Hit(secondary.at("mclt"), "mclt is said on the secondary")


@rules.error(
    "split-missing",
    why="dhcpd refuses a primary without it: it says which clients each server answers",
    mend="write split 128 on the primary (half and half), or split 256 (the primary serves all)",
)
def split_missing(pair: Pair) -> Iterator[Hit]:
    for primary in _of(pair, "primary"):
        if not {"split", "hba"} & primary.settings.keys():
            yield Hit(primary.place, "neither split nor hba is said on the primary")


@rules.error(
    "split-on-secondary",
    why="dhcpd refuses it there: the primary alone says how the load is split",
    mend="take split and hba out of the secondary",
)
def split_on_secondary(pair: Pair) -> Iterator[Hit]:
    for secondary in _of(pair, "secondary"):
        for name in ("split", "hba"):
            if name in secondary.settings:
                yield Hit(secondary.at(name), f"{name} is said on the secondary")


@rules.error(
    "split-and-hba",
    why="they say the same thing in two ways, and the later wins; dhcpd -t takes both silently",
    mend="keep one of them",
)
def split_and_hba(pair: Pair) -> Iterator[Hit]:
    for _, end, _ in pair.ends:
        if {"split", "hba"} <= end.settings.keys() and end.get("role") != "secondary":
            yield Hit(end.at("hba"), "both split and hba are said", end.at("split"))


@rules.error(
    "split-value",
    why="dhcpd refuses it: there are 256 hash buckets",
    mend="split takes 0 to 256; hba takes 32 hexadecimal bytes with colons between",
)
def split_value(pair: Pair) -> Iterator[Hit]:
    for primary in _of(pair, "primary"):
        split, hba = primary.settings.get("split"), primary.get("hba")
        if split is not None and (split.number is None or not 0 <= split.number <= _SPLIT_MAX):
            yield Hit(split.place, f"split is {split.value}")
        if hba is not None and not re.fullmatch(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){31}", hba):
            yield Hit(primary.at("hba"), f"hba has {len(hba.split(':'))} parts, or one that is no byte")


@rules.warning(
    "load-balance-off",
    why="without it, or with 0, load balancing is off: both answer every client, whatever split says",
    mend="write load balance max seconds 3 on both",
)
def load_balance_off(pair: Pair) -> Iterator[Hit]:
    for a, b in pair.relations:
        values = [end.get("load balance max seconds", "0") for end in (a, b)]
        for end, value in zip((a, b), values, strict=True):
            if value == "0":
                yield Hit(end.at("load balance max seconds"), "load balance max seconds is 0, or not said")


@rules.warning(
    "failover-timers-differ",
    needs_partner=True,
    why="the two judge the same outage, and the same waiting client, at different times",
    mend="write the same value on both",
)
def failover_timers_differ(pair: Pair) -> Iterator[Hit]:
    defaults = {"max-response-delay": "60", "max-unacked-updates": "10", "auto-partner-down": "0"}
    for a, b in pair.relations:
        for name, default in defaults.items():
            yield from difference(b, a, name, default)
        name = "load balance max seconds"
        if "0" not in {a.get(name, "0"), b.get(name, "0")}:  # else it is off: load-balance-off
            yield from difference(b, a, name)


@rules.note(
    "slow-detection",
    why="so long a partner whose host or cable died counts as there; measured: silence is noticed after just this time",
    mend="max-response-delay 5 in a lab, 10 to 30 elsewhere; said nowhere, it is 60",
    source=f"{FAILOVER}; measured with dhcpd 4.4.3-P1",
)
def slow_detection(pair: Pair) -> Iterator[Hit]:
    for _, end, _ in pair.ends:
        delay = end.settings.get("max-response-delay")
        if delay is None or (delay.number or 0) > _SLOW_S:
            what = f"max-response-delay is {delay.value if delay else '60, being said nowhere'}"
            yield Hit(end.at("max-response-delay"), what)


@rules.warning(
    "auto-partner-down",
    why="when only the network between the two fails, both take all addresses, and hand some out twice",
    mend="take auto-partner-down out, unless the two are joined by a cable of their own",
)
def auto_partner_down(pair: Pair) -> Iterator[Hit]:
    for a, b in pair.relations:
        end = a if a.get("auto-partner-down", "0") != "0" else b
        if end.get("auto-partner-down", "0") != "0":
            yield Hit(end.at("auto-partner-down"), f"auto-partner-down is {end.get('auto-partner-down')}")


@rules.warning(
    "short-lease",
    why="a client's first lease is mclt long anyway, and each renewal is bounded by it: a shorter lease is senseless",
    mend="make default-lease-time and max-lease-time at least as long as mclt, or mclt shorter",
    source=f"{DRAFT}, Maximum Client Lead Time",
)
def short_lease(pair: Pair) -> Iterator[Hit]:
    mclts = [end.settings["mclt"] for end in _of(pair, "primary") if "mclt" in end.settings]
    seen = set()
    for peer in pair.peers:
        for pool in (pool for pool in peer.pools if pool.relation):
            for name in ("default-lease-time", "max-lease-time"):
                lease = pool.settings.get(name)
                if lease is None or lease.place in seen or lease.number is None:
                    continue
                seen.add(lease.place)
                for mclt in mclts:
                    if mclt.number is not None and lease.number < mclt.number:
                        yield Hit(lease.place, f"{name} is {lease.value}, mclt is {mclt.value}", mclt.place)


@rules.warning(
    "hot-standby-pool",
    why="free addresses are shared half and half whatever split says: when the active server's half is used up, "
    "the standby serves (measured: of 200 clients on 231 addresses it served 83)",
    mend="make the pool at least twice as large as the number of clients",
    source=f"{FAILOVER}, pool balance; measured with dhcpd 4.4.3-P1",
)
def hot_standby_pool(pair: Pair) -> Iterator[Hit]:
    if pair.clients is None:
        return
    for peer, end, size in _standby(pair):
        if size < 2 * pair.clients:
            what = f"{size} addresses for {pair.clients} clients; hot standby wants {2 * pair.clients}"
            where = next((pool.place for pool in peer.pools if pool.relation), end.place)
            yield Hit(where, what, _hash(end).place)


@rules.note(
    "hot-standby-clients",
    why="in hot standby the active server has only half of the free addresses for its clients",
    mend="say --clients N, and the pool is compared with it",
    source=f"{FAILOVER}, pool balance",
)
def hot_standby_clients(pair: Pair) -> Iterator[Hit]:
    if pair.clients is None:
        for _, end, size in _standby(pair):
            yield Hit(_hash(end).place, f"hot standby: {size} addresses are enough for {size // 2} clients")


def _hash(primary: Relation) -> Setting:
    return primary.settings["hba"] if "hba" in primary.settings else primary.settings["split"]


def _standby(pair: Pair) -> Iterator[tuple[Peer, Relation, int]]:
    """Primaries of which one server serves all, and the size of their pools."""
    for peer, end, _ in pair.ends:
        if end.get("role") == "primary" and {"hba", "split"} & end.settings.keys():
            value = _hash(end).value.lower()
            ranges = [
                r for pool in peer.pools if pool.relation and pool.relation.value == end.name for r in pool.ranges
            ]
            if value in _ALL | _NONE:
                yield peer, end, sum(last - first + 1 for first, last in merged(ranges))
