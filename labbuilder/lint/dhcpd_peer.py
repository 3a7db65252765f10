"""What a dhcpd.conf means: its statements, read into a Peer, with what blocks inherit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from typing import ClassVar

from labbuilder.lint.dhcpd import Statement, parse, unquoted
from labbuilder.lint.dhcpd_grammar import Grammar, meant
from labbuilder.lint.dhcpd_options import SERVER, Options, meaning, plain_host
from labbuilder.lint.dhcpd_settings import setting, settings, text_of
from labbuilder.lint.dhcpd_statements import EXECUTABLE, PARAMETERS
from labbuilder.lint.model import Host, Named, Peer, Pool, Range, Relation, Setting, Subnet
from labbuilder.lint.source import Config, Place, printable
from labbuilder.lint.space import Masked, Network
from labbuilder.lint.syntax import broken

_RELATION = {
    "peer address": "I",
    "peer port": "L",
    "address": "I",
    "port": "L",
    "max-response-delay": "L",
    "max-unacked-updates": "L",
    "mclt": "L",
    "split": "L",
    "hba": "X",
    "load balance max seconds": "L",
    "auto-partner-down": "L",
}
_MORE_WORDS = {"failover", "range", "pool", "no", "allow", "deny", "interface", "zone", "key", "%"}


@dataclass(frozen=True)
class _Scope:
    """What holds in a block: its own settings over those around it, and where it stands."""

    settings: Mapping[str, Setting] = field(default_factory=dict)
    relation: Setting | None = None
    network: str = ""
    """The name of the shared network around."""
    subnets: tuple[Network, ...] | list[Network] = ()
    """The subnets to which a range may belong."""

    def inside(self, block: tuple[Statement, ...], options: Options) -> _Scope:
        own = dict(settings(block, options))
        if own.keys() >= {"conditions"} and "conditions" in self.settings:
            outer = self.settings["conditions"].value
            own["conditions"] = replace(own["conditions"], value=outer + own["conditions"].value)
        return replace(self, settings={**self.settings, **own}) if own else self


def read(config: Config) -> Peer:
    """Read a dhcpd.conf.

    Raises:
        LintError: It can't be read, or dhcpd would refuse it.
    """
    grammar = Grammar()
    statements = parse(config, grammar)
    return _Walk(Place(printable(config.name)), grammar.options).peer(statements)


class _Walk:
    """Reads the statements in the order of the file: dhcpd knows a name only from its declaration on."""

    def __init__(self, place: Place, options: Options) -> None:
        self._place = place
        self._options = options
        self._relations: list[Relation] = []
        self._subnets: list[Subnet] = []
        self._pools: list[Pool] = []
        self._hosts: list[Host] = []
        self._keys: dict[str, Setting] = {}
        self._classes: dict[str, Setting] = {}
        self._definitions: dict[str, Setting] = {}
        self._includes: list[Setting] = []
        self._declared: dict[tuple[str, str], Place] = {}
        self._unknown: list[Named] = []
        self._again: list[Named] = []
        self._idle: list[Setting] = []

    def peer(self, statements: tuple[Statement, ...]) -> Peer:
        """The whole file."""
        scope = self._block(statements, _Scope().inside(statements, self._options))
        if "omapi-key" in scope.settings:
            key = scope.settings["omapi-key"]
            if ("key", key.value.lower()) not in self._declared:
                self._unknown.append(Named("key", key.value, key.place))
        later = [replace(n, other=self._declared.get((n.kind, n.name))) for n in self._unknown]
        return Peer(
            engine="isc",
            place=self._place,
            relations=tuple(self._relations),
            subnets=tuple(self._subnets),
            pools=tuple(self._pools),
            hosts=tuple(self._hosts),
            settings=scope.settings,
            keys=self._keys,
            includes=tuple(self._includes),
            classes=self._classes,
            definitions=self._definitions,
            unknown=tuple(later),
            again=tuple(self._again),
            idle=tuple(self._idle),
        )

    def _declare(self, kind: str, name: str, place: Place) -> None:
        first = self._declared.setdefault((kind, name), place)
        if first is not place:
            self._again.append(Named(kind, name, place, first))

    def _refer(self, kind: str, name: str, place: Place) -> None:
        if (kind, name) not in self._declared:
            self._unknown.append(Named(kind, name, place))

    def _block(self, block: tuple[Statement, ...], scope: _Scope) -> _Scope:
        """Read statements of the file, a network, a group or a pool; what holds at its end."""
        for statement in block:
            if statement.block is not None:
                scope = self._declaration(statement, statement.block, scope)
            else:
                scope = self._simple(statement, scope)
        return scope

    def _simple(self, statement: Statement, scope: _Scope) -> _Scope:
        name = statement.name
        match name:
            case "authoritative" | "not":
                said = Setting("false" if name == "not" else "true", statement.place)
                return replace(scope, settings={**scope.settings, "authoritative": said})
            case "failover":  # of a shared network: pools from here on belong to it
                peer = setting(statement, 2)
                self._refer("failover peer", peer.value, peer.place)
                return replace(scope, relation=peer)
            case "include":
                self._includes.append(setting(statement, 1))
            case "subclass":
                self._subclass(statement, (), scope)
            case "option" if len(statement.words) > 2 and statement.words[2].lower() == "code":  # noqa: PLR2004
                text = " ".join(statement.words[3:]).lower()
                self._definitions[statement.words[1].lower()] = Setting(text, statement.place)
            case _ if not (name in SERVER or name in PARAMETERS or name in EXECUTABLE or name in _MORE_WORDS):
                if len(statement.words) == 1:
                    self._idle.append(Setting(statement.words[0], statement.place, meant(name)))
        return scope

    def _declaration(self, statement: Statement, block: tuple[Statement, ...], scope: _Scope) -> _Scope:
        """Read a block; what holds after it. Conditions and events are compared as a whole."""
        first = statement.words[0].lower()
        if first == "failover":
            return self._failover(statement, block, scope)
        if reader := self._readers.get(first):
            reader(self, statement, block, scope)
        return scope

    def _group(self, statement: Statement, block: tuple[Statement, ...], scope: _Scope) -> None:
        if len(statement.words) > 1:
            self._declared[("group", statement.value(1))] = statement.place
        self._block(block, scope.inside(block, self._options))

    def _zone(self, statement: Statement, block: tuple[Statement, ...], scope: _Scope) -> None:
        del statement, scope
        for inner in block:
            if inner.starts("key"):
                self._refer("key", inner.value(1).lower(), inner.place)

    def _failover(self, statement: Statement, block: tuple[Statement, ...], scope: _Scope) -> _Scope:
        name = unquoted(statement.words[2])
        if len(statement.words) > 3:  # noqa: PLR2004  its state, as in dhcpd.leases
            self._refer("failover peer", name, statement.place)
            return scope
        self._declare("failover peer", name, statement.place)
        if ("failover peer", name) not in {(again.kind, again.name) for again in self._again}:
            self._relations.append(_relation(name, statement, block))
        return replace(scope, relation=Setting(name, statement.place)) if scope.network else scope

    def _shared_network(self, statement: Statement, block: tuple[Statement, ...], scope: _Scope) -> None:
        name, before = statement.value(1), len(self._subnets)
        inside = replace(scope, network=name, relation=None, subnets=[]).inside(block, self._options)
        self._block(block, inside)
        if len(self._subnets) == before:
            raise broken(statement.place, f"the shared network {printable(name)} has no subnet, which dhcpd refuses")

    def _subnet(self, statement: Statement, block: tuple[Statement, ...], scope: _Scope) -> None:
        network = _network(statement)
        inside = scope.inside(block, self._options)
        if isinstance(scope.subnets, list):
            scope.subnets.append(network)
        index = len(self._subnets)
        self._subnets.append(Subnet(statement.place, network, inside.settings))
        end = self._block(block, replace(inside, subnets=(network,)))
        self._subnets[index] = Subnet(statement.place, network, end.settings, shared=scope.network or None)
        ranges = tuple(_range(s) for s in block if s.name == "range")
        if ranges:  # dhcpd makes a pool of these that knows no failover
            permits = tuple(_bootp(s) for s in block if s.starts("range", "dynamic-bootp"))
            pool = Pool(ranges[0].place, ranges, permits=permits, settings=end.settings, networks=(network,))
            self._pools.append(pool)

    def _pool(self, statement: Statement, block: tuple[Statement, ...], scope: _Scope) -> None:
        relation, direct = scope.relation, False
        ranges: list[Range] = []
        permits: list[Setting] = []
        others: list[Statement] = []
        for inner in block:
            match inner.name:
                case "range":
                    ranges.append(_range(inner))
                    if inner.words[1].lower() == "dynamic-bootp":
                        permits.append(_bootp(inner))
                case "no":
                    relation = None
                case "failover":
                    relation, direct = setting(inner, 2), True
                    self._refer("failover peer", relation.value, relation.place)
                case "allow" | "deny":
                    permits.append(Setting(_permit(inner), inner.place))
                    if inner.words[1].lower() == "members":
                        self._refer("class", unquoted(inner.words[3]), inner.place)
                case _:
                    others.append(inner)
        if not ranges:
            raise broken(statement.place, "a pool without a range, which dhcpd refuses")
        said = scope.settings
        if others:
            inside = scope.inside(tuple(others), self._options)
            self._block(tuple(others), inside)
            said = inside.settings
        networks = tuple(scope.subnets)
        self._pools.append(
            Pool(statement.place, tuple(ranges), relation, (), tuple(permits), said, direct=direct, networks=networks)
        )

    def _host(self, statement: Statement, block: tuple[Statement, ...], scope: _Scope) -> None:
        del scope
        self._declare("host", statement.value(1), statement.place)
        address = None
        clients: dict[str, str] = {}
        others: list[Statement] = []
        for inner in block:
            match inner.name:
                case "hardware":
                    clients["hardware"] = f"{inner.words[1].lower()} {meaning(inner.value(2), 'X')}"
                case "fixed-address":
                    address = inner
                case "uid":
                    clients["uid"] = meaning(inner.value(1), "X")
                case "host-identifier":
                    clients["host-identifier"] = inner.value(1)
                case "group":
                    self._refer("group", inner.value(1), inner.place)
                case _:
                    others.append(inner)
                    if inner.starts("option", "dhcp-client-identifier"):
                        clients["uid"] = meaning(inner.value(2), "X")
        client = next((clients[kind] for kind in ("hardware", "uid", "host-identifier") if kind in clients), "")
        said = dict(settings(others, self._options)) if others else {}
        if address is None:
            self._hosts.append(Host(statement.place, client, None, settings=said))
            return
        for word in (word for word in address.words[1:] if word != ","):
            plain = plain_host(word)
            numeric = plain.count(".") == 3 and plain.replace(".", "").isdigit()  # noqa: PLR2004  a name may be 10
            kept = IPv4Address(_number(plain)) if numeric else None
            self._hosts.append(Host(address.place, client, kept, "" if numeric else plain, said))

    def _key(self, statement: Statement, block: tuple[Statement, ...], scope: _Scope) -> None:
        """Algorithm and secret, for comparison; rules must not show it."""
        del scope
        name = statement.value(1)
        parts = {s.words[0].lower(): "".join(unquoted(w) for w in s.words[1:]) for s in block}
        if parts.keys() != {"algorithm", "secret"}:
            lacking = ", ".join({"algorithm", "secret"} - parts.keys())
            raise broken(statement.place, f"the key {printable(name)} has no {lacking}: dhcpd ends with a fault")
        self._declare("key", name.lower(), statement.place)
        value = f"{parts['algorithm'].lower()} {parts['secret']}"
        self._keys.setdefault(name, Setting(value, statement.place))

    def _class(self, statement: Statement, block: tuple[Statement, ...], scope: _Scope) -> None:
        del scope
        name = unquoted(statement.words[1])
        self._declared.setdefault(("class", name), statement.place)
        text = "".join(sorted(text_of(block).splitlines(keepends=True)))
        self._classes[name] = Setting(text, statement.place)

    def _subclass(self, statement: Statement, block: tuple[Statement, ...], scope: _Scope) -> None:
        del scope
        name, data = unquoted(statement.words[1]), statement.value(2)
        self._refer("class", name, statement.place)
        text = "".join(sorted(text_of(block).splitlines(keepends=True)))
        self._classes[f"{name} {meaning(data, 'X')}"] = Setting(text, statement.place)

    _readers: ClassVar[Mapping[str, Callable[[_Walk, Statement, tuple[Statement, ...], _Scope], None]]] = {
        "shared-network": _shared_network,
        "group": _group,
        "subnet": _subnet,
        "pool": _pool,
        "host": _host,
        "key": _key,
        "zone": _zone,
        "class": _class,
        "subclass": _subclass,
    }


def _network(statement: Statement) -> Network:
    """A subnet; its netmask may have holes."""
    address, mask = (_number(word) for word in (statement.words[1], statement.words[3]))
    if address & ~mask:
        shown = f"{IPv4Address(address)} has bits that the netmask {IPv4Address(mask)} has not"
        raise broken(statement.place, f"no subnet: {shown}")
    length = mask.bit_count()
    whole = mask == (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF
    return IPv4Network((address, length)) if whole else Masked(address, mask)


def _number(word: str) -> int:
    """An IPv4 address that the grammar has seen; the standard library's reader takes six times as long."""
    a, b, c, d = word.split(".")
    return int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d)


def _permit(statement: Statement) -> str:
    """What a pool allows or denies, in one of the ways to write it."""
    words = [word if word[0] == '"' else word.lower() for word in statement.words]
    text = " ".join(words)
    return text.replace("unknown clients", "unknown-clients").replace("known clients", "known-clients")


def _bootp(statement: Statement) -> Setting:
    return Setting("range dynamic-bootp", statement.place)


def _range(statement: Statement) -> Range:
    words = statement.words[2 if statement.starts("range", "dynamic-bootp") else 1 :]
    ends = sorted(_number(word) for word in words)  # dhcpd takes them in any order
    return Range(ends[0], ends[-1], statement.place)


def _relation(name: str, statement: Statement, block: tuple[Statement, ...]) -> Relation:
    said: dict[str, Setting] = {}
    for inner in block:
        first = inner.words[0].lower()
        if first in {"primary", "secondary"}:
            said["role"] = Setting(first, inner.place)
            continue
        text = " ".join(inner.words).lower()
        for what, form in _RELATION.items():
            if text.startswith(f"{what} "):
                value = setting(inner, len(what.split()), form)
                said[what] = replace(value, value=value.meant) if form in "IL" else value
                break
    return Relation(name, statement.place, said)
