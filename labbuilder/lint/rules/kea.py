"""Rules on Kea's high availability: both files are the same but for this-server-name."""

from __future__ import annotations

from collections.abc import Iterator

from labbuilder.lint.model import Hit, Member, Pair, Relation, Setting
from labbuilder.lint.rules.base import KEA, KEA_HA, Rules, difference

rules = Rules(KEA, KEA_HA)

_ROLES = {
    "hot-standby": ("primary", "standby"),
    "load-balancing": ("primary", "secondary"),
    "passive-backup": ("primary", "backup"),
}
_SERVING = {"primary", "secondary", "standby"}
# What holds where nothing is said (Kea ARM); times in milliseconds.
_TIMERS = {"heartbeat-delay": "10000", "max-response-delay": "60000", "max-ack-delay": "10000"}
_SAME = {
    **_TIMERS,
    "max-unacked-clients": "10",
    "send-lease-updates": "true",
    "sync-leases": "true",
    "wait-backup-ack": "false",
    "delayed-updates-limit": "0",
}
_DELAY_MAX = 65535
_SLOW_MS = 10000
_MEMBER_DEFAULTS = {"auto-failover": "true"}


@rules.error(
    "ha-missing",
    needs_partner=True,
    why="without libdhcp_ha.so and its high-availability on both, neither knows of the other's leases",
    mend="load libdhcp_ha.so on both, with the same peers",
)
def ha_missing(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        if not peer.relations:
            yield Hit(peer.place, "no high-availability is configured")


@rules.error(
    "ha-lease-cmds",
    why="the partners hand each other leases by its commands: without it a server never gets beyond syncing",
    mend="load libdhcp_lease_cmds.so beside libdhcp_ha.so",
    source=f"{KEA_HA}; measured with Kea 2.2.0",
)
def ha_lease_cmds(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        if peer.relations and "libdhcp_lease_cmds.so" not in peer.libraries:
            yield Hit(peer.relations[0].place, "libdhcp_lease_cmds.so is not loaded")


@rules.error(
    "ha-peers-differ",
    needs_partner=True,
    why="each looks for its partner where its own list says, in the role that it says there",
    mend="copy the list of peers from one file to the other, unchanged",
)
def ha_peers_differ(pair: Pair) -> Iterator[Hit]:
    for a, b in pair.relations:
        there = {member.name: member for member in a.members}
        here = {member.name: member for member in b.members}
        for name in sorted(there.keys() ^ here.keys()):
            lone = there.get(name) or here[name]
            yield Hit(b.place if name in there else lone.place, f"only one of the lists has the peer {name}", a.place)
        for name in sorted(there.keys() & here.keys()):
            mine, theirs = (_MEMBER_DEFAULTS | {**m.values} for m in (here[name], there[name]))
            for key in sorted(mine.keys() | theirs.keys()):
                if mine.get(key) != theirs.get(key):
                    what = (
                        f"{name}: {key} differs"
                        if "password" in key
                        else (f"{name}: {key} is {mine.get(key, 'not said')} here, {theirs.get(key, 'not said')} there")
                    )
                    yield Hit(here[name].place, what, there[name].place)


@rules.error(
    "ha-urls",
    why="each listens at its own URL and finds its partner at the other's: with one for both they never meet",
    mend="write at each peer the address of that server, and a port that nothing else uses",
)
def ha_urls(pair: Pair) -> Iterator[Hit]:
    for _, end, _ in pair.ends:
        first: dict[str, Member] = {}
        for member in end.members:
            url = member.values.get("url", "").rstrip("/")
            if not url:
                yield Hit(member.place, f"the peer {member.name} has no url")
            elif url in first:
                yield Hit(member.place, f"{member.name} has the url of {first[url].name}, {url}", first[url].place)
            first.setdefault(url, member)


@rules.error(
    "ha-server-name",
    why="each takes itself for the peer of this name: the same on both, and both are the same server; unknown, and Kea "
    "does not start (kea-dhcp4 -t does not tell)",
    mend="write in each file the name of its own server, as in the list of peers",
    source=f"{KEA_HA}; measured with Kea 2.2.0",
)
def ha_server_name(pair: Pair) -> Iterator[Hit]:
    for a, b in pair.relations:
        name = "this-server-name"
        if a.get(name) is not None and a.get(name) == b.get(name) and not pair.alone:
            yield Hit(b.at(name), f"both are {b.get(name)}", a.at(name))
        for end in (a, b):
            if end.get(name) not in {member.name for member in end.members}:
                yield Hit(end.at(name), f"{name} {end.get(name, 'is not said, and')} is none of the peers")


@rules.error(
    "ha-mode",
    why="in different modes each expects the other to answer other clients; an unknown mode does not start",
    mend="write hot-standby, load-balancing or passive-backup: the same on both",
)
def ha_mode(pair: Pair) -> Iterator[Hit]:
    for a, b in pair.relations:
        yield from difference(b, a, "mode")
        if a.get("mode") == b.get("mode") and b.get("mode") not in _ROLES:
            yield Hit(b.at("mode"), f"mode is {b.get('mode', 'not said')}", a.at("mode"))


@rules.error(
    "ha-roles",
    why="a wrong role for the mode does not start (kea-dhcp4 -t does not tell)",
    mend="hot-standby: primary and standby; load-balancing: primary and secondary; passive-backup: one primary",
    source=f"{KEA_HA}; measured with Kea 2.2.0",
)
def ha_roles(pair: Pair) -> Iterator[Hit]:
    for a, b in pair.relations:
        wrong = [(end, said) for end in (a, b) if (said := _wrong_roles(end))]
        for end, said in wrong[:1] if len({said for _, said in wrong}) == 1 else wrong:  # equal lists: said once
            yield Hit(end.members[0].place if end.members else end.place, said)


def _wrong_roles(end: Relation) -> str | None:
    wanted = _ROLES.get(end.get("mode") or "")
    roles = sorted(member.values.get("role", "none") for member in end.members)
    if wanted is None:
        return None
    needed = [role for role in wanted if role in _SERVING]
    if sorted(role for role in roles if role != "backup") == sorted(needed):
        return None
    return f"{end.get('mode')} with the roles {', '.join(roles) or 'of nobody'}"


@rules.warning(
    "ha-settings-differ",
    needs_partner=True,
    why="the two judge the same outage at different times, or treat each other's leases differently",
    mend="write the same value on both",
)
def ha_settings_differ(pair: Pair) -> Iterator[Hit]:
    for a, b in pair.relations:
        for name, default in _SAME.items():
            yield from difference(b, a, name, default)


@rules.error(
    "ha-delays",
    why="more than 65535 does not start; and a partner counts as dead before its next heartbeat is due, if "
    "max-response-delay is not longer than heartbeat-delay",
    mend="choose heartbeat-delay 1000 and max-response-delay 3000 in a lab, 10000 and 60000 elsewhere",
    source=f"{KEA_HA}; measured with Kea 2.2.0",
)
def ha_delays(pair: Pair) -> Iterator[Hit]:
    for _, end, _ in pair.ends:
        beat, response = (_milliseconds(end, name) for name in ("heartbeat-delay", "max-response-delay"))
        if response > _DELAY_MAX:
            yield Hit(end.at("max-response-delay"), f"max-response-delay is {response}")
        elif response <= beat:
            what = f"max-response-delay is {response}, heartbeat-delay {beat}"
            yield Hit(end.at("max-response-delay"), what, end.at("heartbeat-delay"))


def _milliseconds(end: Relation, name: str) -> int:
    return end.settings.get(name, Setting(_TIMERS[name], end.place)).number or 0


@rules.note(
    "ha-slow-takeover",
    why="so long a dead partner's clients wait; and max-unacked-clients above 0 waits for that many clients more, "
    "which an idle network does not have",
    mend="max-response-delay 3000 and max-unacked-clients 0 in a lab",
    source="measured with Kea 2.2.0: 6 new clients got nothing in 60 s near the defaults",
)
def ha_slow_takeover(pair: Pair) -> Iterator[Hit]:
    for _, end, _ in pair.ends:
        response, unacked = _milliseconds(end, "max-response-delay"), end.get("max-unacked-clients", "10")
        if response > _SLOW_MS:
            yield Hit(end.at("max-response-delay"), f"max-response-delay is {response} ms")
        if unacked != "0" and end.get("mode") != "passive-backup":
            yield Hit(end.at("max-unacked-clients"), f"max-unacked-clients is {unacked}")


@rules.error(
    "ha-pool-classes",
    why="in load balancing both servers answer at the same time: from one pool they handed out duplicate addresses "
    "(measured: 42 leases of 36 addresses)",
    mend='split the pool in two: "client-class": "HA_NAME" with the name of one peer for one part, of the other for '
    "the other",
    source=f"{KEA_HA}, Load Balancing Configuration; measured with Kea 2.2.0",
)
def ha_pool_classes(pair: Pair) -> Iterator[Hit]:
    for peer, end, _ in pair.ends:
        if end.get("mode") != "load-balancing":
            continue
        wanted = {f"HA_{m.name}" for m in end.members if m.values.get("role") in _SERVING}
        for pool in peer.pools:
            if len(wanted & set(pool.classes)) != 1:
                yield Hit(pool.place, f"the pool is for none, or more than one, of {', '.join(sorted(wanted))}")
        named = {name for pool in peer.pools for name in pool.classes}
        if peer.pools and wanted & named:  # else it was said of each pool
            for name in sorted(wanted - named):
                yield Hit(end.place, f"no pool is for {name}: the clients of that server get no address")


@rules.error(
    "pool-classes-differ",
    needs_partner=True,
    why="both servers believe to be the one that hands out this pool, or neither does",
    mend="write the same client class at the pool on both",
    source=f"{KEA_HA}, Load Balancing Configuration",
)
def pool_classes_differ(pair: Pair) -> Iterator[Hit]:
    there = {pool.ranges[0].first: pool for pool in pair.a.pools}
    for pool in pair.b.pools:
        other = there.get(pool.ranges[0].first)
        if other is not None and set(other.classes) != set(pool.classes):
            a, b = (", ".join(sorted(p.classes)) or "any client" for p in (other, pool))
            yield Hit(pool.place, f"the pool is for {b} here, for {a} there", other.place)


@rules.error(
    "ha-multi-threading",
    why="the listener for the partner is not there without multi-threading of the whole server, and nothing is said: "
    "both go to partner-down and serve everything",
    mend='write "multi-threading": {"enable-multi-threading": true} in Dhcp4 and in high-availability, on both',
    source=f"{KEA_HA}, Multi-Threaded Configuration; measured with Kea 2.2.0",
)
def ha_multi_threading(pair: Pair) -> Iterator[Hit]:
    for peer, end, _ in pair.ends:
        threaded = peer.get("multi-threading")
        if end.get("multi-threading") == "true" and threaded != "true":
            said = threaded or "not said, which is false in Kea 2.2"
            yield Hit(peer.at("multi-threading"), f"multi-threading of Dhcp4 is {said}", end.at("multi-threading"))
    for a, b in pair.relations:
        yield from difference(b, a, "multi-threading")


@rules.error(
    "subnet-id-differs",
    needs_partner=True,
    why="the partners tell each other leases by the subnet's id: the lease is kept in the wrong subnet, or refused",
    mend="write the same id for the subnet on both",
    source="Kea ARM, IPv4 Subnet Identifier",
)
def subnet_id_differs(pair: Pair) -> Iterator[Hit]:
    there = {subnet.network: subnet for subnet in pair.a.subnets}
    for subnet in pair.b.subnets:
        other = there.get(subnet.network)
        a, b = ((s.identity.value if s and s.identity else None) for s in (other, subnet))
        if other is not None and a != b:
            yield Hit(subnet.place, f"the id of {subnet.network} is {b} here, {a} there", other.place)
