"""Rules on what two Kea servers say to clients, beyond pools, options and lease times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labbuilder.lint.model import Hit, Host, Pair, Setting, Subnet
from labbuilder.lint.rules.base import KEA, KEA_HA, Rules, difference

rules = Rules(KEA, KEA_HA)

_BOOT = {"next-server": "0.0.0.0", "server-hostname": "", "boot-file-name": ""}  # noqa: S104  Kea's default
_DDNS = {
    "ddns-send-updates": "true",
    "ddns-override-no-update": "false",
    "ddns-override-client-update": "false",
    "ddns-replace-client-name": "never",
    "ddns-generated-prefix": "myhost",
    "ddns-qualifying-suffix": "",
}
_UPDATES = "dhcp-ddns enable-updates"


def _common(pair: Pair) -> Iterator[tuple[Subnet, Subnet]]:
    there = {subnet.network: subnet for subnet in pair.a.subnets}
    return ((mine, there[mine.network]) for mine in pair.b.subnets if mine.network in there)


def _differences(pair: Pair, defaults: Mapping[str, str]) -> Iterator[Hit]:
    """Settings in effect in subnets that both have; each pair of places once."""
    seen = set()
    for mine, theirs in _common(pair):
        for name, default in defaults.items():
            places = name, mine.settings.get(name), theirs.settings.get(name)
            if places not in seen:
                seen.add(places)
                yield from difference(mine, theirs, name, default)


@rules.warning(
    "kea-boot-differs",
    needs_partner=True,
    why="the boot server and file that a client is told depend on the server that answers",
    mend="write the same next-server, server-hostname and boot-file-name; nothing, if each server boots its own",
    source="Kea ARM, Next Server (siaddr) and Fixed Fields",
)
def kea_boot_differs(pair: Pair) -> Iterator[Hit]:
    return _differences(pair, _BOOT)


@rules.warning(
    "kea-ddns-differs",
    needs_partner=True,
    why="while the other server answers, names are entered in DNS in another way or not at all",
    mend="write the same dhcp-ddns and ddns-... parameters on both",
    source="Kea ARM, Configuring Kea DHCPv4 Server for DDNS",
)
def kea_ddns_differs(pair: Pair) -> Iterator[Hit]:
    yield from difference(pair.b, pair.a, _UPDATES, "false")
    if pair.a.get(_UPDATES) == pair.b.get(_UPDATES) == "true":
        yield from _differences(pair, _DDNS)


@rules.warning(
    "kea-classes-differ",
    needs_partner=True,
    why="a client is of a class on one server and not on the other, or is told other things there",
    mend="write the same client-classes on both",
    source="Kea ARM, Client Classification",
)
def kea_classes_differ(pair: Pair) -> Iterator[Hit]:
    return _named(pair, "class", pair.b.classes, pair.a.classes)


@rules.warning(
    "kea-definitions-differ",
    needs_partner=True,
    why="the two write an option of your own in different ways, or one does not know it",
    mend="write the same option-def on both",
    source="Kea ARM, Custom DHCPv4 Options",
)
def kea_definitions_differ(pair: Pair) -> Iterator[Hit]:
    return _named(pair, "definition of option", pair.b.definitions, pair.a.definitions)


def _named(pair: Pair, what: str, here: Mapping[str, Setting], there: Mapping[str, Setting]) -> Iterator[Hit]:
    for name in sorted(here.keys() | there.keys()):
        mine, theirs = here.get(name), there.get(name)
        if mine is None or theirs is None:
            lacking, other = (pair.b, theirs) if mine is None else (pair.a, mine)
            yield Hit(lacking.place, f"the {what} {name} is not here", other.place if other else None)
        elif mine.value != theirs.value:
            yield Hit(
                mine.place, f"the {what} {name} is another: {mine.value} here, {theirs.value} there", theirs.place
            )


@rules.warning(
    "kea-reservations-differ",
    needs_partner=True,
    why="what is kept for a client beside its address, a name, options, classes, it gets from one server alone",
    mend="write the same reservations on both, best in one file that both include",
    source="Kea ARM, Host Reservations in DHCPv4",
)
def kea_reservations_differ(pair: Pair) -> Iterator[Hit]:
    there = {(host.where, host.client): host for host in pair.a.hosts}
    here = {(host.where, host.client): host for host in pair.b.hosts}
    for client, mine in here.items():
        theirs = there.get(client)
        if theirs is not None:
            yield from _kept_differs(mine, theirs)
        elif mine.address is None:
            yield Hit(mine.place, "the partner keeps nothing for this client")
    for client, host in there.items():
        if host.address is None and client not in here:
            yield Hit(host.place, "the partner keeps nothing for this client")


def _kept_differs(mine: Host, theirs: Host) -> Iterator[Hit]:
    for name in sorted(mine.settings.keys() | theirs.settings.keys()):
        a, b = (_said(host, name) for host in (mine, theirs))
        if a != b:
            yield Hit(mine.place, f"{name} is {a or 'not said'} here, {b or 'not said'} there", theirs.place)


def _said(host: Host, name: str) -> str:
    value = host.settings[name].value if name in host.settings else ""
    return value.lower().rstrip(".") if name == "hostname" else value


@rules.error(
    "kea-relay-differs",
    needs_partner=True,
    why="by the relay's address a server knows the subnet of its clients: without it, it does not answer them, or from "
    "another subnet",
    mend="write the same relay addresses at the subnet on both",
    source="Kea ARM, Using a Specific Relay Agent for a Subnet",
)
def kea_relay_differs(pair: Pair) -> Iterator[Hit]:
    for mine, theirs in _common(pair):
        yield from difference(mine, theirs, "relay")


@rules.warning(
    "kea-interface-differs",
    needs_partner=True,
    why="by its interface a server knows the subnet of clients on its own link; right if the machines' ones differ",
    mend="nothing, if each machine has that interface on the subnet's link; else write the same",
    source="Kea ARM, Subnet Selection",
)
def kea_interface_differs(pair: Pair) -> Iterator[Hit]:
    for mine, theirs in _common(pair):
        if ("interface" in mine.settings) != ("interface" in theirs.settings):
            yield from difference(mine, theirs, "interface")


@rules.error(
    "kea-shared-network-differs",
    needs_partner=True,
    why="one server gives clients of the link addresses of all its subnets, the other of one: there, clients with an "
    "address of another lose it",
    mend="put the same subnets into the shared network on both",
    source="Kea ARM, Shared Networks in DHCPv4",
)
def kea_shared_network_differs(pair: Pair) -> Iterator[Hit]:
    members = [_company(peer.subnets) for peer in (pair.b, pair.a)]
    for mine, theirs in _common(pair):
        here, there = (found[mine.network] for found in members)
        if here != there:
            alone = sorted(str(network) for network in here ^ there)
            yield Hit(
                mine.place, f"only on one server {mine.network} shares its link with {', '.join(alone)}", theirs.place
            )


def _company(subnets: tuple[Subnet, ...]) -> dict[object, frozenset[object]]:
    """With which subnets each shares its link."""
    shared: dict[str, set[object]] = {}
    for subnet in subnets:
        if subnet.shared is not None:
            shared.setdefault(subnet.shared, set()).add(subnet.network)
    return {s.network: frozenset(shared.get(s.shared or "", ())) for s in subnets}


@rules.warning(
    "kea-client-id-differs",
    needs_partner=True,
    why="one server knows a client by its identifier, the other by its MAC address: it gets another address there",
    mend="write the same match-client-id on both",
    source="Kea ARM, Using Client Identifier and Hardware Address",
)
def kea_client_id_differs(pair: Pair) -> Iterator[Hit]:
    return _differences(pair, {"match-client-id": "true"})
