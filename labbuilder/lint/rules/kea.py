"""Rules on Kea's high availability: both files are the same but for this-server-name."""

from __future__ import annotations

from collections.abc import Iterator

from labbuilder.lint import kea_ha
from labbuilder.lint.model import Hit, Member, Pair, Relation, Setting
from labbuilder.lint.rules.base import KEA, KEA_HA, Rules, difference
from labbuilder.lint.rules.kea_refused import told
from labbuilder.lint.versions import Release, named

rules = Rules(KEA, KEA_HA)

_SERVING = {"primary", "secondary", "standby"}
# What holds where nothing is said (HA_CONFIG_DEFAULTS in ha_config_parser.cc); times in milliseconds.
_TIMERS = {"heartbeat-delay": "10000", "max-response-delay": "60000", "max-ack-delay": "10000"}
_SAME = {
    **_TIMERS,
    "max-unacked-clients": "10",
    "max-rejected-lease-updates": "10",
    "send-lease-updates": "true",
    "sync-leases": "true",
    "sync-timeout": "60000",
    "sync-page-limit": "10000",
    "wait-backup-ack": "false",
    "require-client-certs": "true",
}
_DELAY_MAX = 65535
_SLOW_MS, _MANY = 60000, 10
_THREADED: Release = (2, 4)
"""Since when multi-threading, and the listener of the hook's own, are on unless said otherwise."""
_RESTRICTED: Release = (3, 0)
"""Since when restrict-commands is true unless said otherwise."""
_NAMED: Release = (2, 6)
"""Since when the partners' commands say for which server they are."""
_TLS_FILES = ("trust-anchor", "cert-file", "key-file")


@rules.error(
    "ha-missing",
    needs_partner=True,
    why="without libdhcp_ha.so and its high-availability on both, neither knows of the other's leases",
    mend="load libdhcp_ha.so on both, with the same peers",
)
def ha_missing(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        if not peer.relations:
            yield Hit(peer.place, "no high-availability in which both take part is configured")


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
    why="each looks for its partner where its own list says, in the role that it says there; since 2.6 by its name too",
    mend="copy the list of peers from one file to the other, but for files that are each machine's own",
    source=f"{KEA_HA}; Kea's command_creator.cc and ha_impl.cc (server-name); measured with Kea 2.2.0 and 2.6.3",
)
def ha_peers_differ(pair: Pair) -> Iterator[Hit]:
    for hit, where in _called_otherwise(pair):
        if where.issuperset(pair.releases):
            yield hit
    for a, b in pair.relations:
        there, here = ({member.name: member for member in end.members} for end in (a, b))
        for name in sorted(there.keys() & here.keys()):
            yield from _members_differ(here[name], there[name])


def _called_otherwise(pair: Pair) -> Iterator[tuple[Hit, frozenset[Release]]]:
    """A peer that one of the lists has not, and in which releases its partner is told by name."""
    for a, b in pair.relations:
        there, here = ({member.name: member for member in end.members} for end in (a, b))
        for name in sorted(there.keys() ^ here.keys()):
            place = b.place if name in there else here[name].place
            where = frozenset(release for release in pair.releases if release >= _NAMED)
            yield Hit(place, f"only one of the lists has the peer {name}", a.place), where


def _members_differ(here: Member, there: Member) -> Iterator[Hit]:
    for key in ("role", "url"):
        mine, theirs = (_compared(key, member) for member in (here, there))
        if mine != theirs:
            what = f"{here.name}: {key} differs: {mine or 'not said'} here, {theirs or 'not said'} there"
            yield Hit(here.place, what, there.place)
    safe = [any(member.values.get(file) for file in _TLS_FILES) for member in (here, there)]
    if safe[0] != safe[1]:
        yield Hit(here.place, f"{here.name} has TLS {'here' if safe[0] else 'there'} alone", there.place)


def _compared(key: str, member: Member) -> str:
    """A value as Kea takes it: a URL's path, and its trailing slash, name no other listener."""
    text = member.values.get(key, "")
    url = kea_ha.taken_apart(text) if key == "url" else text
    return text if isinstance(url, str) else f"{url.scheme}://{url.host}:{url.port}"


@rules.error(
    "ha-urls",
    why="each listens at its own URL and finds its partner at the other's: with one for both, without an address or "
    "without a port they never meet",
    mend="write at each peer the address of that server, and a port that nothing else uses",
    source="Kea's ha_config.cc (HAConfig::validate) and url.cc",
)
def ha_urls(pair: Pair) -> Iterator[Hit]:
    yield from told("ha-urls")(pair)
    for _, end, _ in pair.ends:
        first: dict[tuple[str, int], Member] = {}
        for member in end.members:
            url = kea_ha.taken_apart(member.values.get("url", ""))
            if isinstance(url, str):
                continue  # told above
            if url.port == 0:
                yield Hit(member.place, f"the url of {member.name} has no port")
            elif (url.host, url.port) in first:
                other = first[url.host, url.port]
                yield Hit(
                    member.place, f"{member.name} has the url of {other.name}, {url.host}:{url.port}", other.place
                )
            first.setdefault((url.host, url.port), member)


@rules.error(
    "ha-server-name",
    why="each takes itself for the peer of this name: the same on both, and both are the same server; unknown, and Kea "
    "does not start (kea-dhcp4 -t does not tell)",
    mend="write in each file the name of its own server, as in the list of peers",
    source=f"{KEA_HA}; Kea's ha_config.cc (HAConfig::validate); measured with Kea 2.2.0",
)
def ha_server_name(pair: Pair) -> Iterator[Hit]:
    yield from told("ha-server-name")(pair)
    for a, b in () if pair.alone else pair.relations:
        name = "this-server-name"
        if a.get(name) is not None and a.get(name) == b.get(name):
            yield Hit(b.at(name), f"both are {b.get(name)}", a.at(name))


@rules.error(
    "ha-mode",
    why="in different modes each expects the other to answer other clients; an unknown mode does not start",
    mend="write hot-standby, load-balancing or passive-backup: the same on both",
)
def ha_mode(pair: Pair) -> Iterator[Hit]:
    yield from told("ha-mode")(pair)
    for a, b in pair.relations:
        yield from difference(b, a, "mode")


@rules.warning(
    "ha-settings-differ",
    needs_partner=True,
    why="the two judge the same outage at different times, or treat each other's leases differently",
    mend="write the same value on both",
    source=f"{KEA_HA}; Kea's ha_config_parser.cc (HA_CONFIG_DEFAULTS); measured with Kea 2.2.0 and 2.6.3",
)
def ha_settings_differ(pair: Pair) -> Iterator[Hit]:
    yield from (hit for hit, where in _called_otherwise(pair) if not where)
    for a, b in pair.relations:
        there, here = ({member.name: member for member in end.members} for end in (a, b))
        for name in sorted(there.keys() & here.keys()):
            for key in ("basic-auth-user", "basic-auth-password"):
                if here[name].values.get(key) != there[name].values.get(key):
                    yield Hit(here[name].place, f"{name}: {key} differs", there[name].place)
        limit = "100" if a.get("mode") == "load-balancing" else "0"
        for name, default in {**_SAME, "delayed-updates-limit": limit}.items():
            yield from difference(b, a, name, default)
        said = [end.get("restrict-commands") for end in (a, b)]
        if pair.releases[0] >= _RESTRICTED or None not in said:
            yield from difference(b, a, "restrict-commands", "true")
        elif pair.releases[-1] < _RESTRICTED:
            yield from difference(b, a, "restrict-commands", "false")
        mine, theirs = ({m.name: m for m in end.members}.get(str(end.get("this-server-name"))) for end in (b, a))
        takes = [m.values.get("auto-failover", "true") for m in (mine, theirs) if m is not None]
        if mine is not None and len(set(takes)) > 1:
            yield Hit(mine.place, f"auto-failover is {takes[0]} for this server, {takes[1]} for the other")


@rules.warning(
    "ha-delays",
    why="a partner counts as unreachable before its next heartbeat is due: when an update is not answered too, it is "
    "declared dead within one heartbeat",
    mend="choose heartbeat-delay 1000 and max-response-delay 3000 in a lab, 10000 and 60000 elsewhere",
    source="Kea's communication_state.cc (isCommunicationInterrupted); measured with Kea 2.2.0",
)
def ha_delays(pair: Pair) -> Iterator[Hit]:
    for _, end, _ in pair.ends:
        beat, response = (_milliseconds(end, name) for name in ("heartbeat-delay", "max-response-delay"))
        if response < beat <= _DELAY_MAX:
            what = f"max-response-delay is {response}, heartbeat-delay {beat}"
            yield Hit(end.at("max-response-delay"), what, end.at("heartbeat-delay"))


@rules.error(
    "ha-never-ready",
    why="without heartbeats, or with leases handed over none at a time, a server waits for its partner for ever and "
    "serves nobody",
    mend="write heartbeat-delay 1000 in a lab, 10000 elsewhere; leave out sync-page-limit, or write 10000",
    source="Kea's ha_service.cc (startHeartbeat, asyncSyncLeases); measured with Kea 2.2.0 and 2.6.3",
)
def ha_never_ready(pair: Pair) -> Iterator[Hit]:
    for _, end, _ in pair.ends:
        for name in ("heartbeat-delay", "sync-page-limit"):
            said = end.settings.get(name)
            if said is not None and said.number == 0 and end.get("mode") != "passive-backup":
                yield Hit(said.place, f"{name} is 0")


def _milliseconds(end: Relation, name: str) -> int:
    return end.settings.get(name, Setting(_TIMERS[name], end.place)).number or 0


@rules.note(
    "ha-slow-takeover",
    why="a dead partner's clients wait longer than with Kea's own values; max-unacked-clients above 0 waits for that "
    "many clients more, which an idle network does not have",
    mend="max-response-delay 3000 and max-unacked-clients 0 in a lab; said nowhere, they are 60000 and 10",
    source="measured with Kea 2.2.0: 6 new clients got nothing in 60 s near the defaults",
)
def ha_slow_takeover(pair: Pair) -> Iterator[Hit]:
    for _, end, _ in pair.ends:
        response, unacked = _milliseconds(end, "max-response-delay"), end.settings.get("max-unacked-clients")
        if _SLOW_MS < response <= _DELAY_MAX:
            yield Hit(end.at("max-response-delay"), f"max-response-delay is {response} ms")
        if unacked is not None and (unacked.number or 0) > _MANY and end.get("mode") != "passive-backup":
            yield Hit(unacked.place, f"max-unacked-clients is {unacked.value}")


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
    source=f"{KEA_HA}, Multi-Threaded Configuration; Kea's ha_config.cc (HAConfig::validate); measured with Kea 2.2.0",
)
def ha_multi_threading(pair: Pair) -> Iterator[Hit]:
    for hit, where in _unthreaded(pair):
        if where.issuperset(pair.releases):
            yield hit
    for a, b in pair.relations:
        listens = [{_listens(end, release) for release in pair.releases} for end in (b, a)]
        if not listens[0] & listens[1]:
            yield Hit(b.at("multi-threading"), "one of the two has no listener of its own", a.at("multi-threading"))


def _listens(end: Relation, release: Release) -> bool:
    on = "true" if release >= _THREADED else "false"
    return end.get("multi-threading", on) == end.get("http-dedicated-listener", on) == "true"


def _unthreaded(pair: Pair) -> Iterator[tuple[Hit, frozenset[Release]]]:
    """Where a listener is asked for that is not there, and in which releases."""
    for peer, end, _ in pair.ends:
        if end.get("multi-threading") == end.get("http-dedicated-listener") == "true":
            said = peer.get("multi-threading")
            where = frozenset(r for r in pair.releases if said == "false" or (said is None and r < _THREADED))
            what = f"multi-threading of Dhcp4 is {said or 'not said, which is false before Kea 2.4'}"
            if where:
                yield Hit(peer.at("multi-threading"), what, end.at("multi-threading")), where


@rules.note(
    "kea-release",
    why="it depends on the release of Kea that runs the pair: in some of them it is an error",
    mend="say the release with --engine-version, such as kea-2.6; or write what all of them take",
    source="Kea's dhcp4_parser.yy, dhcp_parsers.cc and ha_config_parser.cc of Kea 2.2 to 3.2",
)
def kea_release(pair: Pair) -> Iterator[Hit]:
    releases = frozenset(pair.releases)
    found = [(Hit(f.place, f.what, f.other), f.releases & releases) for peer in pair.peers for f in peer.faults]
    for hit, where in (*found, *_unthreaded(pair), *_called_otherwise(pair)):
        if where and where != releases:
            yield Hit(hit.where, f"{hit.what}: an error in {named(where)}", hit.other)


@rules.error(
    "ha-subnet-relation",
    why="a server with several relationships drops each packet of a subnet that is said to belong to none of them",
    mend='write "user-context": {"ha-server-name": NAME} at the subnet, or at its shared network',
    source="Kea's ha_impl.cc (HAImpl::subnet4Select), since Kea 2.4",
)
def ha_subnet_relation(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        for place, what in peer.unrelated:
            yield Hit(place, what)
    if min(len(peer.relations) for peer in pair.peers) > 1:
        a, b = (
            {member.name: relation.name for relation in peer.relations for member in relation.members}
            for peer in pair.peers
        )
        there = {subnet.network: subnet for subnet in pair.a.subnets}
        for mine in pair.b.subnets:
            theirs = there.get(mine.network)
            if theirs is not None and a.get(theirs.server or "") != b.get(mine.server or ""):
                what = f"{mine.network} belongs to {mine.server} here, to {theirs.server} there: to two relationships"
                yield Hit(mine.place, what, theirs.place)


@rules.error(
    "subnet-id-differs",
    needs_partner=True,
    why="the partners tell each other leases by the subnet's id: the lease is kept in the wrong subnet, or refused",
    mend="write the same id for the subnet on both; without, Kea numbers the subnets in their order",
    source="Kea ARM, IPv4 Subnet Identifier; Kea's subnet.h (generateNextID) before 2.6, which wants an id",
)
def subnet_id_differs(pair: Pair) -> Iterator[Hit]:
    there = {subnet.network: subnet for subnet in pair.a.subnets}
    for subnet in pair.b.subnets:
        other = there.get(subnet.network)
        if other is None or other.identity is None or subnet.identity is None:
            continue
        if other.identity.value != subnet.identity.value:
            mine, theirs = (
                f"{s.identity and s.identity.value}{'' if s.identity_said else ' by its order'}"
                for s in (subnet, other)
            )
            yield Hit(subnet.place, f"the id of {subnet.network} is {mine} here, {theirs} there", other.place)
