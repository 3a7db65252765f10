"""What kea-dhcp4 refuses in a configuration that its grammar takes; `kea-dhcp4 -t` tells it too.

After dhcp_parsers.cc, base_network_parser.cc, shared_network_parser.cc, host_reservation_parser.cc, cfg_hosts.cc,
client_class_def_parser.cc and json_config_parser.cc. What is not looked at: expressions of classes, databases, sockets,
loggers, DDNS, and whether a hook library's file is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from itertools import pairwise
from typing import NamedTuple

from labbuilder.lint.kea import Value
from labbuilder.lint.kea_options import Options, address, definition_faults, integer
from labbuilder.lint.model import Fault, span
from labbuilder.lint.source import printable
from labbuilder.lint.versions import RELEASES

NETWORK, RESERVATION, LIFETIMES, CLASS = "kea-network", "kea-reservation", "kea-lifetimes", "kea-class"
BOUNDS = "kea-bounds"
IDENTIFIERS = ("hw-address", "duid", "circuit-id", "client-id", "flex-id")
NEEDS_ID = frozenset(release for release in RELEASES if release >= (2, 6))
_WANTS_SOMETHING = frozenset(release for release in RELEASES if release < (2, 4))
_DEFAULT_LIFETIME = 7200
_LIFETIMES = ("valid-lifetime", "min-valid-lifetime", "max-valid-lifetime", "renew-timer", "rebind-timer")
_SHORT, _LONG = 65535, 4294967295
# multi_threading_config_parser.cc, cfg_expiration.cc, json_config_parser.cc: the largest; the smallest is 0.
_BOUNDS: Mapping[str, Mapping[str, int]] = {
    "multi-threading": {"thread-pool-size": _SHORT, "packet-queue-size": _SHORT},
    "expired-leases-processing": {
        "reclaim-timer-wait-time": _SHORT,
        "flush-reclaimed-timer-wait-time": _SHORT,
        "hold-reclaimed-time": _LONG,
        "max-reclaim-leases": _LONG,
        "max-reclaim-time": 10000,
        "unwarned-reclaim-cycles": _SHORT,
    },
    "": {"decline-probation-period": _LONG, "dhcp4o6-port": _SHORT},
}
_MAX_ID = 4294967294
_BLANKS = str.maketrans("", "", " \t")
_IDENTIFIER = re.compile(
    r"\s*'.*'\s*|[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2})+|[0-9A-Fa-f]{1,2}( [0-9A-Fa-f]{1,2})+|(0x)?[0-9A-Fa-f]+", re.DOTALL
)
_MEMBER = re.compile(r"member\s*\(\s*'([^']+)'\s*\)")
_BUILT_IN = re.compile(r"(VENDOR_CLASS_|HA_|AFTER_|EXTERNAL_|SKIP_|SPAWN_).+|ALL|KNOWN|UNKNOWN|BOOTP|DROP")
_OF_LEVEL = frozenset({"option-data", "next-server", "server-hostname", "boot-file-name", "relay"})
_NAME_BYTES, _FILE_BYTES = 63, 128


class Ends(NamedTuple):
    """The first and the last address of a pool or a subnet."""

    first: int
    last: int


class Numbered(NamedTuple):
    """A subnet with the shared network around it, and the id that it says or that Kea before 2.6 gives it."""

    subnet: Value
    shared: Value | None
    identity: int
    said: bool


def numbered(server: Value) -> Iterator[Numbered]:
    """All subnets in the order in which Kea reads them: those of shared networks first (configureDhcp4Server).

    A subnet without id, or with id 0, gets the next of 1, 2, 3 ... (Subnet::generateNextID), in this order.
    """
    following = 1
    inside = [(s, shared) for shared in server.items("shared-networks") for s in shared.items("subnet4")]
    for subnet, shared in (*inside, *((subnet, None) for subnet in server.items("subnet4"))):
        said = integer(subnet, "id")
        if said:
            yield Numbered(subnet, shared, said, said=True)
        else:
            yield Numbered(subnet, shared, following, said=False)
            following += 1


def faults(server: Value) -> Iterator[Fault]:
    """What is refused in Dhcp4."""
    options = Options(server.items("option-def"))
    unique = server.text("ip-reservations-unique") != "false"
    yield from definition_faults(server.items("option-def"))
    for option in server.items("option-data"):
        yield from options.faults(option)
    yield from _bounds(server)
    yield from _classes(server, options)
    yield from _reservations(server.items("reservations"), None, options, unique=unique)
    known = {"valid-lifetime": _DEFAULT_LIFETIME} | _times_of(server)
    yield from _times(server, known, server)
    yield from _shared_networks(server, options, known)
    identities: dict[int, Value] = {}
    networks: dict[str, Value] = {}
    for entry in numbered(server):
        subnet = entry.subnet
        yield from _identity(entry, identities)
        yield from _level(subnet, options)
        around = known if entry.shared is None else known | _times_of(entry.shared)
        yield from _times(subnet, around | _times_of(subnet), subnet)
        network = prefix(subnet.text("subnet") or "")
        if network is None:
            if subnet.text("subnet") is not None:
                yield Fault(NETWORK, subnet.place, f"no subnet: {printable(subnet.text('subnet') or '')!r}")
            continue
        name = (subnet.text("subnet") or "").translate(_BLANKS)
        if name in networks:
            yield Fault(NETWORK, subnet.place, f"the subnet {name} is there twice", other=networks[name].place)
        networks[name] = subnet
        yield from _pools(subnet, network, options)
        yield from _reservations(subnet.items("reservations"), network, options, unique=unique)


def _bounds(server: Value) -> Iterator[Fault]:
    for name, bounds in _BOUNDS.items():
        level = server.get(name) if name else server
        for parameter, largest in bounds.items():
            found = integer(level, parameter) if level is not None else None
            if found is not None and level is not None and not 0 <= found <= largest:
                what = f"{parameter} is {found}, where 0 to {largest} is taken"
                yield Fault(BOUNDS, (level.get(parameter) or level).place, what)
    kinds = server.items("host-reservation-identifiers")
    for index, kind in enumerate(kinds):
        if kind.data in [before.data for before in kinds[:index]]:
            yield Fault(RESERVATION, kind.place, f"the identifier {printable(str(kind.data))} stands twice")


def prefix(text: str) -> Ends | None:
    """The addresses of a subnet, as SubnetConfigParser::createSubnet reads it."""
    found, slash, bits = text.translate(_BLANKS).partition("/")
    first = address(found)
    if first is None or not slash or not bits.isdecimal() or int(bits[:4]) > IPv4Network(0).max_prefixlen:
        return None
    size = 1 << 32 - int(bits)
    start = int(first) // size * size
    return Ends(start, start + size - 1)


def pool_ends(text: str) -> Ends | None:
    """The addresses of a pool, as PoolParser::parse reads it."""
    bare = text.translate(_BLANKS)
    start, slash, bits = bare.partition("/")
    if slash:
        first, network = address(start), prefix(bare)
        return Ends(int(first), network.last) if first is not None and network is not None and int(bits) else None
    start, dash, end = bare.partition("-")
    first, last = address(start), address(end)
    return Ends(int(first), int(last)) if dash and first is not None and last is not None and first <= last else None


def identifier(host: Value) -> tuple[str, str] | None:
    """What a reservation's client is known by, in one way of writing; None: by nothing, or by what is no identifier."""
    for kind in IDENTIFIERS:
        text = host.text(kind)
        if text is None:
            continue
        if not _IDENTIFIER.fullmatch(text):
            return None
        bare = text.strip()
        if bare.startswith("'"):
            return kind, bare.strip("'").strip().encode().hex()
        octets = re.split("[: ]", text)
        if len(octets) > 1:
            return kind, "".join(octet.zfill(2) for octet in octets).lower()
        digits = text.removeprefix("0x").lower()
        return kind, digits.zfill(len(digits) + len(digits) % 2)
    return None


def _identity(entry: Numbered, seen: dict[int, Value]) -> Iterator[Fault]:
    subnet, said = entry.subnet, integer(entry.subnet, "id")
    if said is not None and not 0 <= said <= _MAX_ID:
        yield Fault(NETWORK, subnet.place, f"the id {said} is not within 1 to {_MAX_ID}")
        return
    if not entry.said:
        what = "the subnet has no id" if said is None else "the subnet has the id 0"
        yield Fault(NETWORK, subnet.place, what, NEEDS_ID)
    if entry.identity in seen:
        twice = f"two subnets have the id {entry.identity}"
        where = frozenset(RELEASES) if entry.said else frozenset(RELEASES) - NEEDS_ID
        yield Fault(NETWORK, subnet.place, twice, where, seen[entry.identity].place)
    seen.setdefault(entry.identity, subnet)


def _level(level: Value, options: Options) -> Iterator[Fault]:
    """What may be said for a shared network, a subnet, a pool, a class or a reservation."""
    if not isinstance(level.data, dict) or _OF_LEVEL.isdisjoint(level.data):
        return  # most say none of it
    for option in level.items("option-data"):
        yield from options.faults(option)
    server = level.get("next-server")
    if server is not None and server.kind == "string" and server.data:
        found = address(str(server.data))
        if found is None or int(found) == (1 << 32) - 1:
            yield Fault(NETWORK, server.place, f"next-server is {printable(str(server.data))!r}, no address of a host")
    for name, longest in (("server-hostname", _NAME_BYTES), ("boot-file-name", _FILE_BYTES)):
        if len((level.text(name) or "").encode()) > longest:
            yield Fault(NETWORK, level.place, f"{name} is longer than {longest} bytes")
    yield from _relay(level)


def _relay(level: Value) -> Iterator[Fault]:
    relay = level.get("relay")
    if relay is not None and relay.kind == "map":
        given = [*relay.items("ip-addresses"), *([one] if (one := relay.get("ip-address")) else [])]
        for index, entry in enumerate(given):
            if entry.data in [before.data for before in given[:index]]:
                yield Fault(NETWORK, entry.place, f"the relay's address {printable(str(entry.data))} stands twice")
            if address(str(entry.data)) is None:
                yield Fault(NETWORK, entry.place, f"the relay's address {printable(str(entry.data))!r} is none")


def _times_of(level: Value) -> dict[str, int]:
    """As Kea keeps them, in 32 bits without sign."""
    return {name: found % (1 << 32) for name in _LIFETIMES if (found := integer(level, name)) is not None}


def _times(level: Value, known: Mapping[str, int], place: Value) -> Iterator[Fault]:
    """SimpleParser::parseIntTriplet, and the order of the two timers."""
    own = _times_of(level)
    if not own:
        return
    low, high, usual = (known.get(name) for name in ("min-valid-lifetime", "max-valid-lifetime", "valid-lifetime"))
    at = next(found for name in own if (found := level.get(name))).place
    if usual is None:
        if low is not None and high is not None:
            yield Fault(LIFETIMES, place.place, "min-valid-lifetime and max-valid-lifetime, but no valid-lifetime")
        return
    if not (usual if low is None else low) <= usual <= (usual if high is None else high):
        said = ", ".join(
            f"{name} {known[name]}"
            for name in ("min-valid-lifetime", "valid-lifetime", "max-valid-lifetime")
            if name in known
        )
        yield Fault(LIFETIMES, at, f"they are not in order: {said}")
    renew, rebind = known.get("renew-timer"), known.get("rebind-timer")
    if renew is not None and rebind is not None and renew > rebind:
        yield Fault(LIFETIMES, at, f"renew-timer {renew} is longer than rebind-timer {rebind}")


def _shared_networks(server: Value, options: Options, known: Mapping[str, int]) -> Iterator[Fault]:
    names: dict[str, Value] = {}
    for shared in server.items("shared-networks"):
        yield from _level(shared, options)
        yield from _times(shared, {**known, **_times_of(shared)}, shared)
        name = shared.text("name") or ""
        if not name:
            yield Fault(NETWORK, shared.place, "a shared network has no name")
        elif name in names:
            yield Fault(
                NETWORK, shared.place, f"two shared networks are called {printable(name)}", other=names[name].place
            )
        names.setdefault(name, shared)
        yield from _alike(server, shared)


def _alike(server: Value, shared: Value) -> Iterator[Fault]:
    """Dhcp4ConfigParser::sharedNetworksSanityChecks: one interface, and authoritative or not."""
    authoritative = shared.text("authoritative") or server.text("authoritative") or "false"
    interface = shared.text("interface") or ""
    for subnet in shared.items("subnet4"):
        if (subnet.text("authoritative") or authoritative) != authoritative:
            yield Fault(NETWORK, subnet.place, "authoritative is another than in the shared network around it")
        own = subnet.text("interface") or ""
        if own and interface and own != interface:
            yield Fault(
                NETWORK,
                subnet.place,
                f"the interface is {printable(own)}, in the shared network {printable(interface)}",
            )
        interface = interface or own


def _pools(subnet: Value, network: Ends, options: Options) -> Iterator[Fault]:
    taken: list[tuple[Ends, Value]] = []
    for pool in subnet.items("pools"):
        yield from _level(pool, options)
        text = pool.text("pool")
        ends = pool_ends(text or "")
        if ends is None:
            if text is not None:
                yield Fault(NETWORK, pool.place, f"no pool: {printable(text)!r}")
            continue
        if not network.first <= ends.first <= ends.last <= network.last:
            yield Fault(NETWORK, pool.place, f"the pool {span(*ends)} is not inside the subnet {span(*network)}")
        taken.append((ends, pool))
    taken.sort(key=lambda entry: entry[0])
    for (before, first), (after, second) in pairwise(taken):
        if after.first <= before.last:
            yield Fault(
                NETWORK, second.place, f"the pools {span(*before)} and {span(*after)} overlap", other=first.place
            )


def _reservations(hosts: tuple[Value, ...], network: Ends | None, options: Options, *, unique: bool) -> Iterator[Fault]:
    clients: dict[tuple[str, str], Value] = {}
    kept: dict[int, Value] = {}
    for host in hosts:
        yield from _level(host, options)
        named = [kind for kind in host.data if kind in IDENTIFIERS]
        client = identifier(host)
        if len(named) != 1:
            yield Fault(
                RESERVATION, host.place, f"a reservation is for {' and '.join(named) or 'no client'}: one is needed"
            )
        elif client is None:
            what = f"{named[0]} {printable(host.text(named[0]) or '')!r} is no identifier"
            yield Fault(RESERVATION, host.place, what)
        elif client in clients:
            yield Fault(
                RESERVATION, host.place, f"the client {client[1]} has two reservations", other=clients[client].place
            )
        else:
            clients[client] = host
        if host.text("next-server") == "":
            yield Fault(NETWORK, host.place, "next-server is empty")
        text = host.text("ip-address")
        if text is not None:
            yield from _kept(host, text, network, kept if unique else {})
        elif not any(
            host.get(name) for name in ("hostname", "next-server", "server-hostname", "boot-file-name")
        ) and not (host.items("option-data") or host.items("client-classes")):
            yield Fault(RESERVATION, host.place, "a reservation of nothing", _WANTS_SOMETHING)


def _kept(host: Value, text: str, network: Ends | None, kept: dict[int, Value]) -> Iterator[Fault]:
    found = address(text)
    if found is None or int(found) in {0, (1 << 32) - 1}:
        yield Fault(RESERVATION, host.place, f"{printable(text)!r} is no address of a host")
    elif network is not None and not network.first <= int(found) <= network.last:
        yield Fault(RESERVATION, host.place, f"{found} is not inside the subnet {span(*network)}")
    elif int(found) in kept:
        yield Fault(RESERVATION, host.place, f"{found} is reserved twice", other=kept[int(found)].place)
    else:
        kept[int(found)] = host


def _classes(server: Value, options: Options) -> Iterator[Fault]:
    known: dict[str, Value] = {}
    for entry in server.items("client-classes"):
        yield from _level(entry, options)
        yield from _times(entry, _times_of(entry), entry)
        name = entry.text("name")
        for asked in _MEMBER.findall(entry.text("test") or ""):
            if asked not in known and not _BUILT_IN.fullmatch(asked):
                yield Fault(CLASS, entry.place, f"the class {printable(asked)} is asked for before it is defined")
        if name in known:
            yield Fault(
                CLASS, entry.place, f"two classes are called {printable(name or '')}", other=known[name or ""].place
            )
        elif name == "":
            yield Fault(CLASS, entry.place, "a class has no name")
        known.setdefault(name or "", entry)
