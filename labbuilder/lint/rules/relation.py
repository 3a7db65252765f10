"""Rules on dhcpd's failover peer declarations: two ends of one relation."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labbuilder.lint.model import Hit, Pair, Peer, Relation, Setting
from labbuilder.lint.rules.base import FAILOVER, ISC, Rules, difference
from labbuilder.lint.space import merged

rules = Rules(ISC, FAILOVER)

PARSER = "dhcpd 4.4, parse_failover_peer of server/confpars.c"
PORT = "647"  # IANA's, and dhcpd's where none is said
_SPLIT_MAX = 256
_HBA_BYTES = 32
_NEARLY_NONE = 1
_SLOW_S = 30


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
    why="dhcpd finds the relation by its name: each rejects the other's connection (unknown failover relationship "
    "name), and a new pair serves nobody",
    mend="give the failover peer one name in both files, and in the pools that refer to it",
    source="dhcpd 4.4, dhcp_failover_listener_signal of server/failover.c",
)
def failover_name(pair: Pair) -> Iterator[Hit]:
    a, b = pair.a.relations, pair.b.relations
    if len(a) == len(b) == 1 and a[0].name != b[0].name:
        yield Hit(b[0].place, f'the failover peer is "{b[0].name}" here, "{a[0].name}" there', a[0].place)
        return
    lone = {id(peer): [end for of, end, other in pair.declared if of is peer and other is None] for peer in pair.peers}
    for peer, partner in pair.sides:
        for end in lone[id(peer)]:
            other = next((far for far in lone[id(partner)] if _mirrored(end, far)), None)
            if other and peer is pair.a:
                what = f'the failover peer is "{other.name}" here, "{end.name}" there'
                yield Hit(other.place, what, end.place)
            elif other is None and _meant_for(end, partner):
                yield Hit(end.place, f'the partner declares no failover peer "{end.name}"', partner.place)
    if a and b and not pair.relations and not any(_mirrored(x, y) for x in a for y in b):
        yield Hit(b[0].place, f'the failover peer is "{b[0].name}" here, "{a[0].name}" there', a[0].place)


def _mirrored(end: Relation, other: Relation) -> bool:
    """Whether two declarations are each other's ends, by their addresses."""
    return any(
        x.get("address") is not None and x.get("address") == y.get("peer address")
        for x, y in ((end, other), (other, end))
    )


def _meant_for(end: Relation, partner: Peer) -> bool:
    """Whether a declaration is for this partner: its peer address is one that the partner calls its own."""
    return end.get("peer address") in {other.get("address") for other in partner.relations} - {None}


@rules.error(
    "roles",
    needs_partner=True,
    why="a pair is one primary and one secondary: two of a kind refuse each other's messages, and neither serves",
    mend="write primary; in one declaration and secondary; in the other",
    source=f"{FAILOVER}; {PARSER}: none is said, and it is primary",
)
def roles(pair: Pair) -> Iterator[Hit]:
    for a, b in pair.relations:
        if role_of(a) == role_of(b):
            yield Hit(b.at("role"), f"both are {role_of(b)}", a.at("role"))


@rules.warning(
    "role-missing",
    why="dhcpd takes it for primary, and dhcpd -t says nothing of it",
    mend="write primary; or secondary;",
    source=PARSER,
)
def role_missing(pair: Pair) -> Iterator[Hit]:
    for _, end, other in pair.declared:
        if end.get("role") is None:
            yield Hit(end.place, "neither primary nor secondary is said", other.at("role") if other else None)


def role_of(end: Relation) -> str:
    """Primary or secondary, as dhcpd takes it."""
    return end.get("role") or "primary"


@rules.error(
    "peer-address-missing",
    why="dhcpd does not start without it",
    mend="write peer address with the partner's address",
    source=PARSER,
)
def peer_address_missing(pair: Pair) -> Iterator[Hit]:
    for _, end, other in pair.declared:
        if end.get("peer address") is None:
            yield Hit(end.place, "peer address is not said", other.at("address") if other else None)


@rules.error(
    "address-missing",
    why="dhcpd ends at its start (no local address); dhcpd -t does not tell",
    mend="write address with this server's address",
    source="measured with dhcpd 4.4.3-P1; dhcp_failover_link_initiate of server/failover.c",
)
def address_missing(pair: Pair) -> Iterator[Hit]:
    for _, end, other in pair.declared:
        if end.get("address") is None:
            yield Hit(end.place, "address is not said", other.at("peer address") if other else None)


@rules.error(
    "relations-one-address",
    why="dhcpd tells its failover peers apart by the partner's address, whatever the port: one of them never serves",
    mend="give each relation with the same partner an address of its own on both servers",
    source="measured with dhcpd 4.4.3-P1: remote failover relationship name does not match",
)
def relations_one_address(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        first: dict[str, Relation] = {}
        for end in peer.relations:
            address = end.get("peer address")
            if address is None:
                continue
            if address in first:
                what = f'{address} is the peer address of "{first[address].name}" too'
                yield Hit(end.at("peer address"), what, first[address].at("peer address"))
            first.setdefault(address, end)


@rules.error(
    "addresses-mirrored",
    needs_partner=True,
    why="each connects to the partner's address from its own: else they never meet, and a new pair serves nobody",
    mend="this server's address must be the partner's peer address",
)
def addresses_mirrored(pair: Pair) -> Iterator[Hit]:
    for _, end, other in pair.ends:
        mine, theirs = end.get("address"), other.get("peer address")
        if mine is not None and theirs is not None and mine != theirs and _is_name(mine) == _is_name(theirs):
            what = f"peer address is {theirs} here, the partner's address is {mine}"
            yield Hit(other.at("peer address"), what, end.at("address"))
    for a, b in pair.relations:
        if a.get("address") is not None and a.get("address") == b.get("address"):
            yield Hit(b.at("address"), f"both have the address {b.get('address')}", a.at("address"))


@rules.note(
    "names-not-looked-up",
    needs_partner=True,
    why="one file has a name, the other an address: whether these are the same, the lint does not ask anybody",
    mend="nothing, if the name has that address; addresses in both files need no resolver at the start",
    source="dhcpd.conf(5), the address statement: a name is looked up",
)
def names_not_looked_up(pair: Pair) -> Iterator[Hit]:
    for _, end, other in pair.ends:
        mine, theirs = end.get("address"), other.get("peer address")
        if mine is not None and theirs is not None and _is_name(mine) != _is_name(theirs):
            what = f"peer address is {theirs} here, the partner's address is {mine}"
            yield Hit(other.at("peer address"), what, end.at("address"))


def _is_name(text: str) -> bool:
    return text.count(".") != 3 or not text.replace(".", "").isdigit()  # noqa: PLR2004


@rules.error(
    "ports-mirrored",
    needs_partner=True,
    why="each connects to a port where the other does not listen: they never meet, and a new pair serves nobody",
    mend="this server's port must be the partner's peer port; leave out both for 647",
)
def ports_mirrored(pair: Pair) -> Iterator[Hit]:
    for a, b in pair.relations:
        wrong = [*_misses(a, b), *_misses(b, a)]
        if len(wrong) > 1:
            yield from wrong


@rules.warning(
    "port-one-way",
    needs_partner=True,
    why="one connects to a port where the other does not listen: they meet only because the other connects too",
    mend="this server's port must be the partner's peer port; leave out both for 647",
    source="measured with dhcpd 4.4.3-P1",
)
def port_one_way(pair: Pair) -> Iterator[Hit]:
    for a, b in pair.relations:
        wrong = [*_misses(a, b), *_misses(b, a)]
        if len(wrong) == 1:
            yield from wrong


def _misses(end: Relation, other: Relation) -> Iterator[Hit]:
    """Whether the other's peer port is another than that of this end."""
    mine, theirs = end.get("port", PORT), other.get("peer port", PORT)
    if mine != theirs:
        what = f"peer port is {theirs} here, the partner listens on {mine}"
        yield Hit(other.at("peer port"), what, end.at("port"))


def _of(pair: Pair, role: str) -> Iterator[Relation]:
    return (end for _, end, _ in pair.declared if role_of(end) == role)


@rules.error(
    "mclt-missing",
    why="dhcpd does not start a primary without it: it bounds how far the two may differ about a lease",
    mend="write mclt SECONDS on the primary: 60 in a lab, 3600 elsewhere",
    source=f"{FAILOVER}; {PARSER}",
)
def mclt_missing(pair: Pair) -> Iterator[Hit]:
    for primary in _of(pair, "primary"):
        if primary.get("mclt") in {None, "0"}:
            yield Hit(primary.at("mclt"), f"mclt is {primary.get('mclt', 'not said')} on the primary")


@rules.note(
    "mclt-on-secondary",
    why="it does nothing there: the secondary takes the primary's when they connect",
    mend="take mclt out of the secondary, so that nobody believes it",
    source="dhcpd.conf(5), the mclt statement; dhcpd 4.4, dhcp_failover_link_signal of server/failover.c",
)
def mclt_on_secondary(pair: Pair) -> Iterator[Hit]:
    for secondary in _of(pair, "secondary"):
        if "mclt" in secondary.settings:
            yield Hit(secondary.at("mclt"), f"mclt is {secondary.get('mclt')} on the secondary")


@rules.error(
    "split-missing",
    why="dhcpd does not start a primary without it: it says which clients each server answers",
    mend="write split 128 on the primary (half and half), or split 256 (the primary serves all)",
    source=f"{FAILOVER}; {PARSER}",
)
def split_missing(pair: Pair) -> Iterator[Hit]:
    for primary in _of(pair, "primary"):
        if not {"split", "hba"} & primary.settings.keys():
            yield Hit(primary.place, "neither split nor hba is said on the primary")


@rules.error(
    "split-on-secondary",
    why="dhcpd does not start: the primary alone says how the load is split",
    mend="take split and hba out of the secondary",
    source=f"{FAILOVER}; {PARSER}",
)
def split_on_secondary(pair: Pair) -> Iterator[Hit]:
    for secondary in _of(pair, "secondary"):
        for name in ("split", "hba"):
            if name in secondary.settings:
                yield Hit(secondary.at(name), f"{name} is said on the secondary")


@rules.warning(
    "split-and-hba",
    why="they say the same thing in two ways, and the later wins; dhcpd -t takes both silently",
    mend="keep one of them",
    source=PARSER,
)
def split_and_hba(pair: Pair) -> Iterator[Hit]:
    for end in _of(pair, "primary"):
        if {"split", "hba"} <= end.settings.keys():
            yield Hit(end.at("hba"), "both split and hba are said", end.at("split"))


@rules.error(
    "split-value",
    why="dhcpd does not start: there are 256 hash buckets",
    mend="split takes 0 to 256; hba takes 32 hexadecimal bytes with colons between",
    source=PARSER,
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
    source=f"{FAILOVER}; dhcpd 4.4 itself warns of it (dhcp_failover_sanity_check of server/failover.c)",
)
def load_balance_off(pair: Pair) -> Iterator[Hit]:
    for _, end, _ in pair.declared:
        if end.get("load balance max seconds", "0") == "0":
            yield Hit(end.at("load balance max seconds"), "load balance max seconds is 0, or not said")


@rules.warning(
    "failover-timers-differ",
    needs_partner=True,
    why="the two judge the same outage, and the same waiting client, at different times",
    mend="write the same value on both",
    source=f"{FAILOVER}: each server has its own max-response-delay, max-unacked-updates, auto-partner-down",
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
    for _, end, _ in pair.declared:
        delay = end.settings.get("max-response-delay")
        if delay is None or (delay.number or 0) > _SLOW_S:
            what = f"max-response-delay is {delay.value if delay else '60, being said nowhere'}"
            yield Hit(end.at("max-response-delay"), what)


@rules.warning(
    "auto-partner-down",
    why="when only the network between the two fails, both take all addresses, and hand some out twice",
    mend="take auto-partner-down out, unless the two are joined by a cable of their own",
    source="dhcpd.conf(5), the auto-partner-down statement",
)
def auto_partner_down(pair: Pair) -> Iterator[Hit]:
    seen: set[str] = set()
    for _, end, _ in pair.declared:
        if end.get("auto-partner-down", "0") != "0" and end.name not in seen:
            seen.add(end.name)
            yield Hit(end.at("auto-partner-down"), f"auto-partner-down is {end.get('auto-partner-down')}")


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


@rules.note(
    "split-255",
    why="split counts buckets, of which there are 256: the secondary answers the clients of the last one",
    mend="write split 256, if the primary is to answer everybody",
    source="dhcpd.conf(5), the split statement",
)
def split_255(pair: Pair) -> Iterator[Hit]:
    for end in _of(pair, "primary"):
        if end.get("split") == str(_SPLIT_MAX - 1):
            yield Hit(end.at("split"), "split is 255: of 256 clients one is the secondary's")


def _hash(primary: Relation) -> Setting:
    return primary.settings["hba"] if "hba" in primary.settings else primary.settings["split"]


def _buckets(said: Setting) -> int | None:
    """How many of the 256 hash buckets the primary answers."""
    if ":" not in said.value:
        return said.number
    try:
        return sum(int(byte, 16).bit_count() for byte in said.value.split(":"))
    except ValueError:
        return None


def _standby(pair: Pair) -> Iterator[tuple[Peer, Relation, int]]:
    """Primaries of which one server serves all, or all but a bucket, and the size of their pools."""
    for peer, end, _ in pair.declared:
        if role_of(end) == "primary" and {"hba", "split"} & end.settings.keys():
            buckets = _buckets(_hash(end))
            if buckets is None or _NEARLY_NONE < buckets < _SPLIT_MAX - _NEARLY_NONE:
                continue
            pools = (pool for pool in peer.pools if pool.relation and pool.relation.value == end.name)
            yield peer, end, sum(last - first + 1 for first, last in merged(r for pool in pools for r in pool.ranges))
