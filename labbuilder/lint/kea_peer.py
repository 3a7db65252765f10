"""What a Kea configuration means: its values, read into a Peer, with what inner levels inherit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from labbuilder.lint import kea_check, kea_ha, kea_schema, syntax
from labbuilder.lint.kea import Value, members, parse
from labbuilder.lint.kea_check import Numbered, identifier, numbered, pool_ends, prefix
from labbuilder.lint.kea_options import Options, address
from labbuilder.lint.model import Fault, Host, Member, Peer, Pool, Range, Relation, Setting, Settings, Subnet
from labbuilder.lint.source import Config, Place, printable

LIFETIMES = ("valid-lifetime", "min-valid-lifetime", "max-valid-lifetime", "renew-timer", "rebind-timer")
BOOT = ("next-server", "server-hostname", "boot-file-name")
DDNS = (
    "ddns-send-updates",
    "ddns-override-no-update",
    "ddns-override-client-update",
    "ddns-replace-client-name",
    "ddns-generated-prefix",
    "ddns-qualifying-suffix",
)
_INHERITED = {*LIFETIMES, *BOOT, *DDNS, "authoritative", "match-client-id", "interface"}
_OF_HOST = {*BOOT, "hostname"}
_MEMBER = re.compile(r"member\s*\(\s*'([^']+)'\s*\)")


@dataclass(frozen=True)
class _Scope:
    """What holds at a level."""

    options: Options
    settings: Settings = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    server: str | None = None
    """The peer of whose relationship it is: ``user-context.ha-server-name``."""

    def inside(self, level: Value) -> _Scope:
        own = {n: Setting(v.data, v.place) for n, v in members(level) if n in _INHERITED and isinstance(v.data, str)}
        own |= _options(level, self.options)
        settings = {**self.settings, **own} if own else self.settings
        context = level.get("user-context")
        server = (context.text("ha-server-name") if context is not None else None) or self.server
        return _Scope(self.options, settings, (*self.classes, *_classes(level)), server)


def read(config: Config) -> Peer:
    """Read a configuration of kea-dhcp4.

    Raises:
        LintError: It can't be read, or is no configuration of kea-dhcp4.
    """
    document = parse(config)
    server = document.root.get("Dhcp4")
    if server is None:
        raise syntax.broken(document.root.place, "it holds no Dhcp4", resolution="name the configuration of kea-dhcp4")
    scope = _Scope(Options(server.items("option-def"))).inside(server)
    levels = [(entry, _around(entry, scope).inside(entry.subnet)) for entry in numbered(server)]
    tests = {c.text("name") or "": c.text("test") or "" for c in server.items("client-classes")}
    ha = [parameters for hook in server.items("hooks-libraries") if (parameters := hook.get("parameters")) is not None]
    relations = tuple(relation for parameters in ha for relation in _relations(parameters))
    return Peer(
        engine="kea",
        place=server.place,
        relations=relations,
        subnets=tuple(subnet for entry, inside in levels if (subnet := _subnet(entry, inside)) is not None),
        pools=tuple(_pools(levels, tests)),
        hosts=tuple(_hosts(server, levels, scope)),
        settings={**scope.settings, **_of_server(server)},
        keys={},
        libraries={
            (hook.text("library") or "").rpartition("/")[2]: Setting(hook.text("library") or "", hook.place)
            for hook in server.items("hooks-libraries")
        },
        includes=tuple(Setting(name, place) for name, place in document.includes),
        faults=(*kea_schema.faults(document), *kea_check.faults(server), *_ha_faults(ha)),
        classes={
            c.text("name") or "": Setting(_class(c, scope.options), c.place) for c in server.items("client-classes")
        },
        definitions={
            f"{d.text('space') or 'dhcp4'}.{d.text('name')}": Setting(_plain(d), d.place)
            for d in server.items("option-def")
        },
        unrelated=tuple(_unrelated(relations, levels)) if len(relations) > 1 else (),
    )


def _unrelated(relations: tuple[Relation, ...], levels: list[tuple[Numbered, _Scope]]) -> Iterator[tuple[Place, str]]:
    names = {member.name for relation in relations for member in relation.members}
    for entry, inside in levels:
        if inside.server not in names:
            said = (
                f"the ha-server-name {printable(inside.server)} is none of the peers"
                if inside.server
                else "no ha-server-name"
            )
            yield entry.subnet.place, f"{printable(entry.subnet.text('subnet') or '')}: {said}"


def _ha_faults(ha: list[Value]) -> Iterator[Fault]:
    for parameters in ha:
        yield from kea_ha.faults(parameters)


def _around(entry: Numbered, scope: _Scope) -> _Scope:
    return scope if entry.shared is None else scope.inside(entry.shared)


def _of_server(server: Value) -> Settings:
    """What is said for the server alone, by names that say where."""
    found: dict[str, Setting] = {}
    for inner, name, called in (
        ("multi-threading", "enable-multi-threading", "multi-threading"),
        ("dhcp-ddns", "enable-updates", "dhcp-ddns enable-updates"),
        ("dhcp-ddns", "server-ip", "dhcp-ddns server-ip"),
    ):
        level = server.get(inner)
        said = _setting(level, name) if level is not None else None
        if said is not None:
            found[called] = said
    return found


def _setting(level: Value, name: str) -> Setting | None:
    found = level.get(name)
    return Setting(found.data, found.place) if found is not None and isinstance(found.data, str) else None


def _options(level: Value, options: Options) -> Settings:
    found = level.items("option-data")
    return {f"option {options.label(option)}": Setting(options.value(option), option.place) for option in found}


def _classes(level: Value) -> tuple[str, ...]:
    several = tuple(c.data for c in level.items("client-classes") if isinstance(c.data, str))
    one = level.text("client-class")
    return (one, *several) if one else several


def _class(level: Value, options: Options) -> str:
    """All that a class says, in one way of writing."""
    said = {name: str(value.data) for name, value in members(level) if isinstance(value.data, str)}
    said |= {name: setting.value for name, setting in _options(level, options).items()}
    said["test"] = " ".join(said.get("test", "").split())
    return "; ".join(f"{name} {value}" for name, value in sorted(said.items()) if name not in {"name", "comment"})


def _plain(level: Value) -> str:
    said = {"array": "false"} | {n: v.data for n, v in members(level) if isinstance(v.data, str) and v.data}
    return "; ".join(f"{name} {value}" for name, value in sorted(said.items()) if name not in {"comment", "space"})


def _subnet(entry: Numbered, scope: _Scope) -> Subnet | None:
    level, ends = entry.subnet, prefix(entry.subnet.text("subnet") or "")
    if ends is None:
        return None
    bits = 32 - (ends.last - ends.first).bit_length()
    relays = _relays(level) or (_relays(entry.shared) if entry.shared is not None else ())
    return Subnet(
        level.place,
        IPv4Network((ends.first, bits)),
        {**scope.settings, **({"relay": Setting(", ".join(relays), level.place)} if relays else {})},
        Setting(str(entry.identity), level.place),
        identity_said=entry.said,
        shared=entry.shared.text("name") if entry.shared is not None else None,
        server=scope.server,
    )


def _relays(level: Value) -> tuple[str, ...]:
    relay = level.get("relay")
    if relay is None:
        return ()
    return tuple(sorted(str(a.data) for a in (*relay.items("ip-addresses"), relay.get("ip-address")) if a is not None))


def _members_of(names: tuple[str, ...], tests: Mapping[str, str]) -> tuple[str, ...]:
    """The classes, and those that the tests of the classes ask for: HA_server1 may stand in a test alone."""
    found = dict.fromkeys(names)
    todo = list(names)
    while todo:
        asked = _MEMBER.findall(tests.get(todo.pop(), ""))
        todo += [name for name in asked if name not in found]
        found |= dict.fromkeys(asked)
    return tuple(found)


def _pools(levels: list[tuple[Numbered, _Scope]], tests: Mapping[str, str]) -> Iterator[Pool]:
    for entry, scope in levels:
        for level in entry.subnet.items("pools"):
            ends = pool_ends(level.text("pool") or "")
            if ends is not None:
                inside = scope.inside(level)
                yield Pool(
                    level.place,
                    (Range(ends.first, ends.last, level.place),),
                    classes=_members_of(inside.classes, tests),
                    settings=inside.settings,
                    server=scope.server,
                )


def _hosts(server: Value, levels: list[tuple[Numbered, _Scope]], scope: _Scope) -> Iterator[Host]:
    for level in server.items("reservations"):
        yield _host(level, "", scope)
    for entry, inside in levels:
        for level in entry.subnet.items("reservations"):
            yield _host(level, entry.subnet.text("subnet") or "", inside)


def _host(level: Value, where: str, scope: _Scope) -> Host:
    kind, client = identifier(level) or ("", "")
    settings = {n: Setting(v.data, v.place) for n, v in members(level) if n in _OF_HOST and isinstance(v.data, str)}
    classes = _classes(level)
    if classes:
        settings["client-classes"] = Setting(", ".join(sorted(classes)), level.place)
    settings |= _options(level, scope.options)
    return Host(
        level.place,
        f"{kind} {client}" if kind != "hw-address" else client,
        address(level.text("ip-address") or ""),
        settings=settings,
        where=where,
        server=scope.server,
    )


def _relations(parameters: Value) -> Iterator[Relation]:
    for relation in parameters.items("high-availability"):
        settings = {name: Setting(v.data, v.place) for name, v in members(relation) if isinstance(v.data, str)}
        threads = relation.get("multi-threading")
        for name, called in (
            ("enable-multi-threading", "multi-threading"),
            ("http-dedicated-listener", "http-dedicated-listener"),
        ):
            said = _setting(threads, name) if threads is not None else None
            if said is not None:
                settings[called] = said
        peers = tuple(_member(peer) for peer in relation.items("peers") if peer.kind == "map")
        yield Relation(", ".join(sorted(peer.name for peer in peers)), relation.place, settings, peers)


def _member(peer: Value) -> Member:
    values = {name: value.data for name, value in members(peer) if isinstance(value.data, str)}
    return Member(peer.place, values.get("name", ""), values)
