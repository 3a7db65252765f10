"""Rules on what holds for a client: options, lease times, permits, boot files, DNS updates."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from labbuilder.lint.model import Hit, Pair
from labbuilder.lint.rules.base import BOTH, FAILOVER, ISC, KEA_HA, Rules, difference

rules = Rules(BOTH, f"{FAILOVER}; {KEA_HA}")

_LEASE_TIMES = {
    "default-lease-time",
    "max-lease-time",
    "min-lease-time",
    "valid-lifetime",
    "min-valid-lifetime",
    "max-valid-lifetime",
    "renew-timer",
    "rebind-timer",
}
# A server may hand out itself as router and resolver: it is what labbuilder does.
_OF_THE_SERVER = {"option routers", "option domain-name-servers", "option dhcp-server-identifier"}
_PERMITS = {"boot-unknown-clients", "allow-bootp", "allow-booting", "dynamic-bootp", "duplicates", "declines"}
_FILES = {"filename"}
_NEXT = {"next-server", "server-name"}
# Told by rules of their own, each machine's own business, or of no effect on clients.
_APART = {
    *("authoritative", "conditions", "ping-check", "omapi-port", "omapi-key", "local-address", "local-port"),
    *("lease-file-name", "pid-file-name", "log-facility", "dhcpv6-lease-file-name", "dhcpv6-pid-file-name"),
    *("limited-broadcast-address", "remote-port", "log-threshold-low", "log-threshold-high", "dont-use-fsync"),
    *("ping-timeout", "ping-timeout-ms", "ping-cltt-secs", "ddns-local-address4", "ddns-local-address6"),
    *("delayed-ack", "max-ack-delay", "bind-local-address6", "local-address6"),
}
# What dhcpd does where nothing is said (dhcpd.conf(5)).
_DEFAULTS = {
    "default-lease-time": "43200",
    "max-lease-time": "86400",
    "min-lease-time": "300",
    **dict.fromkeys((*_PERMITS - {"dynamic-bootp"}, "client-updates", "ddns-updates", "update-optimization"), "true"),
    **dict.fromkeys(("update-conflict-detection", "do-forward-updates", "stash-agent-options"), "true"),
    **dict.fromkeys(
        ("one-lease-per-client", "get-lease-hostnames", "use-host-decl-names", "always-broadcast"), "false"
    ),
    **dict.fromkeys(("always-broadcast", "ignore-client-uids", "infinite-is-reserved", "server-id-check"), "false"),
    "ddns-update-style": "none",
    "min-secs": "0",
}


def _different(pair: Pair, names: AbstractSet[str]) -> Iterator[Hit]:
    for name, there, here in pair.different:
        if name in names:
            default = _DEFAULTS.get(name) if pair.a.engine == "isc" else None
            yield from difference(here, there, name, default)


@rules.warning(
    "options-differ",
    needs_partner=True,
    why="what a client is told depends on which server answered, and changes at the takeover",
    mend="write the same options on both",
)
def options_differ(pair: Pair) -> Iterator[Hit]:
    names = {name for name, _, _ in pair.different if name.startswith("option ")}
    return _different(pair, names - _OF_THE_SERVER)


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
    return _different(pair, _LEASE_TIMES)


@rules.warning(
    "authoritative-differs",
    needs_partner=True,
    why="a client from another network is told at once to ask anew (DHCPNAK) by one server, and ignored by the other",
    mend="write authoritative on both, or on neither; for dhcpd before the subnets for which it is to hold",
    source="dhcpd.conf(5), The authoritative statement; Kea ARM, authoritative",
)
def authoritative_differs(pair: Pair) -> Iterator[Hit]:
    found = list(difference(pair.b, pair.a, "authoritative", "false"))
    below = [e for e in pair.different if e[0] == "authoritative"]
    for _, there, here in below if not found else ():
        found += difference(here, there, "authoritative", "false")
    return iter(found)


@rules.warning(
    "permits-differ",
    needs_partner=True,
    engines=ISC,
    why="a client that one server serves is refused by the other: it loses its lease at the takeover",
    mend="write the same allow and deny statements on both",
    source="dhcpd.conf(5), ALLOW AND DENY IN SCOPE, and within pool declarations",
)
def permits_differ(pair: Pair) -> Iterator[Hit]:
    for mine, theirs in pair.same_pools:
        a, b = ({p.value for p in pool.permits if not p.value.startswith("range")} for pool in (mine, theirs))
        if a != b and (mine.relation or pair.cold_standby):
            yield Hit(theirs.place, f"only on one of the two: {', '.join(sorted(a ^ b))}", mine.place)
    for hit in _different(pair, _PERMITS):
        yield Hit(
            hit.where, hit.what.replace("boot-unknown-clients", "boot-unknown-clients (unknown-clients)"), hit.other
        )


@rules.warning(
    "boot-file-differs",
    needs_partner=True,
    engines=ISC,
    why="what a machine boots from the network depends on which server answered",
    mend="write the same filename on both",
    source="dhcpd.conf(5), The filename statement",
)
def boot_file_differs(pair: Pair) -> Iterator[Hit]:
    return _different(pair, _FILES)


@rules.note(
    "next-server-differs",
    needs_partner=True,
    engines=ISC,
    why="right when each server hands out its own files; else machines that boot from the network fail at the takeover",
    mend="nothing, if it is meant; else write the same next-server on both",
    source="dhcpd.conf(5), The next-server statement",
)
def next_server_differs(pair: Pair) -> Iterator[Hit]:
    return _different(pair, _NEXT)


@rules.warning(
    "ddns-differs",
    needs_partner=True,
    engines=ISC,
    why="names of clients get into the DNS with one server, and not, or otherwise, with the other",
    mend="write the same ddns statements on both",
    source="dhcpd.conf(5), DYNAMIC DNS UPDATES",
)
def ddns_differs(pair: Pair) -> Iterator[Hit]:
    return _different(pair, {name for name, _, _ in pair.different if _is_ddns(name)})


def _is_ddns(name: str) -> bool:
    words = ("ddns-", "client-updates", "do-forward-updates", "do-reverse-updates", "update-")
    return name.startswith(words) and name not in _APART


@rules.warning(
    "parameters-differ",
    needs_partner=True,
    engines=ISC,
    why="the same client is treated in two ways, by the server that happens to answer",
    mend="write the same parameter on both",
    source="dhcpd.conf(5), REFERENCE: PARAMETERS",
)
def parameters_differ(pair: Pair) -> Iterator[Hit]:
    told = _LEASE_TIMES | _PERMITS | _FILES | _NEXT | _APART
    names = {name for name, _, _ in pair.different if not name.startswith("option ") and not _is_ddns(name)}
    return _different(pair, {name for name in names if not name.startswith("ldap-")} - told)


@rules.warning(
    "conditions-differ",
    needs_partner=True,
    engines=ISC,
    why="if, on and set statements say what a client gets: it depends on which server answered",
    mend="write the same statements on both, best in one file that both include",
    source="dhcp-eval(5)",
)
def conditions_differ(pair: Pair) -> Iterator[Hit]:
    for name, there, here in pair.different:
        if name == "conditions":
            yield Hit(here.at(name), "if, on or set statements are not the same as there", there.at(name))


@rules.note(
    "ping-check-differs",
    needs_partner=True,
    engines=ISC,
    why="one server asks by ICMP whether an address is free, which costs 1 s for each offer, the other does not",
    mend="write the same ping-check on both",
    source="dhcpd.conf(5), The ping-check statement",
)
def ping_check_differs(pair: Pair) -> Iterator[Hit]:
    found = list(difference(pair.b, pair.a, "ping-check", "true"))
    for name, there, here in pair.different if not found else ():
        if name == "ping-check":
            found += difference(here, there, name, "true")
    return iter(found)
