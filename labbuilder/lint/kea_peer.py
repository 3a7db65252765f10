"""What a Kea configuration means: its values, read into a Peer, with what inner levels inherit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from labbuilder.lint import syntax
from labbuilder.lint.kea import Value, members, parse
from labbuilder.lint.model import Host, Member, Peer, Pool, Range, Relation, Setting, Subnet
from labbuilder.lint.source import Config, printable

PARAMETERS = (
    "valid-lifetime",
    "min-valid-lifetime",
    "max-valid-lifetime",
    "renew-timer",
    "rebind-timer",
    "authoritative",
)
_MEMBER = re.compile(r"member\('([^']+)'\)")
_CLIENT = ("hw-address", "client-id", "duid", "circuit-id", "flex-id")


@dataclass(frozen=True)
class _Scope:
    settings: Mapping[str, Setting] = field(default_factory=dict)
    classes: tuple[str, ...] = ()

    def inside(self, level: Value) -> _Scope:
        own = {name: found for name in PARAMETERS if (found := _setting(level, name)) is not None}
        options = {
            f"option {name}": Setting(option.text("data") or "", option.place)
            for option in level.items("option-data")
            if (name := option.text("name") or option.text("code"))
        }
        return _Scope({**self.settings, **own, **options}, (*self.classes, *_classes(level)))


def read(config: Config) -> Peer:
    """Read a configuration of kea-dhcp4.

    Raises:
        LintError: It can't be read, or is no configuration of kea-dhcp4.
    """
    document = parse(config)
    root, includes = document.root, document.includes
    server = root.get("Dhcp4")
    if server is None:
        raise syntax.broken(root.place, "it holds no Dhcp4", resolution="name the configuration of kea-dhcp4")
    scope = _Scope().inside(server)
    levels = list(_levels(server, scope))
    tests = {c.text("name") or "": c.text("test") or "" for c in server.items("client-classes")}
    libraries = {
        (library.text("library") or "").rpartition("/")[2]: Setting(library.text("library") or "", library.place)
        for library in server.items("hooks-libraries")
    }
    threads = server.get("multi-threading")
    threaded = _setting(threads, "enable-multi-threading") if threads else None
    return Peer(
        engine="kea",
        place=server.place,
        relations=tuple(_relations(server)),
        subnets=tuple(_subnet(level, inside) for level, inside in levels),
        pools=tuple(_pool(pool, inside, tests) for level, inside in levels for pool in level.items("pools")),
        hosts=tuple(host for level in (server, *(level for level, _ in levels)) for host in _hosts(level)),
        settings={**scope.settings, **({"multi-threading": threaded} if threaded else {})},
        keys={},
        libraries=libraries,
        includes=tuple(Setting(name, place) for name, place in includes),
    )


def _setting(level: Value, name: str) -> Setting | None:
    found = level.get(name)
    return Setting(found.data, found.place) if found is not None and isinstance(found.data, str) else None


def _classes(level: Value) -> tuple[str, ...]:
    several = tuple(c.data for c in level.items("client-classes") if isinstance(c.data, str))
    one = level.text("client-class")
    return (one, *several) if one else several


def _levels(server: Value, scope: _Scope) -> Iterator[tuple[Value, _Scope]]:
    """Each subnet with what holds in it."""
    for subnet in server.items("subnet4"):
        yield subnet, scope.inside(subnet)
    for shared in server.items("shared-networks"):
        around = scope.inside(shared)
        for subnet in shared.items("subnet4"):
            yield subnet, around.inside(subnet)


def _subnet(level: Value, scope: _Scope) -> Subnet:
    text = level.text("subnet") or ""
    try:
        network = IPv4Network(text, strict=False)
    except ValueError as error:
        raise syntax.broken(level.place, f"no subnet: {printable(str(error))}") from error
    return Subnet(level.place, network, scope.settings, _setting(level, "id"))


def _members_of(names: tuple[str, ...], tests: Mapping[str, str]) -> tuple[str, ...]:
    """The classes, and those that the tests of the classes ask for: HA_server1 may stand in a test alone."""
    found = dict.fromkeys(names)
    todo = list(names)
    while todo:
        asked = _MEMBER.findall(tests.get(todo.pop(), ""))
        todo += [name for name in asked if name not in found]
        found |= dict.fromkeys(asked)
    return tuple(found)


def _pool(pool: Value, scope: _Scope, tests: Mapping[str, str]) -> Pool:
    inside = scope.inside(pool)
    text = pool.text("pool") or ""
    try:
        first, dash, last = text.partition("-")
        if dash:
            ends = sorted((int(IPv4Address(first.strip())), int(IPv4Address(last.strip()))))
        else:
            network = IPv4Network(text.strip(), strict=False)
            ends = [int(network[0]), int(network[-1])]
    except ValueError as error:
        raise syntax.broken(pool.place, f"no pool: {printable(str(error))}") from error
    return Pool(
        pool.place,
        (Range(ends[0], ends[1], pool.place),),
        None,
        _members_of(inside.classes, tests),
        (),
        inside.settings,
    )


def _hosts(level: Value) -> Iterator[Host]:
    for host in level.items("reservations"):
        client = next((text.lower() for name in _CLIENT if (text := host.text(name))), "")
        try:
            yield Host(host.place, client, IPv4Address(host.text("ip-address") or ""))
        except ValueError:
            continue  # a reservation of options alone


def _relations(server: Value) -> Iterator[Relation]:
    for library in server.items("hooks-libraries"):
        parameters = library.get("parameters")
        for relation in parameters.items("high-availability") if parameters else ():
            settings = {name: Setting(v.data, v.place) for name, v in members(relation) if isinstance(v.data, str)}
            threads = relation.get("multi-threading")
            if threads is not None and (threaded := _setting(threads, "enable-multi-threading")):
                settings["multi-threading"] = threaded
            peers = tuple(_member(peer) for peer in relation.items("peers"))
            name = ", ".join(sorted(peer.name for peer in peers))
            yield Relation(name, relation.place, settings, peers)


def _member(peer: Value) -> Member:
    values = {name: value.data for name, value in members(peer) if isinstance(value.data, str)}
    return Member(peer.place, values.get("name", ""), values)
