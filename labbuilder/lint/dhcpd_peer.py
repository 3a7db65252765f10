"""What a dhcpd.conf means: its statements, read into a Peer, with what blocks inherit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError

from labbuilder.lint import syntax
from labbuilder.lint.dhcpd import Statement, parse, printed, unquoted
from labbuilder.lint.model import Host, Peer, Pool, Range, Relation, Setting, Subnet
from labbuilder.lint.source import Config, Place, printable

PARAMETERS = (
    "default-lease-time",
    "max-lease-time",
    "min-lease-time",
    "authoritative",
    "ping-check",
    "omapi-port",
    "omapi-key",
)
_FLAGS = ("ping-check",)  # true and FALSE are keywords, which have no case
_RELATION = (
    "peer address",
    "peer port",
    "address",
    "port",
    "max-response-delay",
    "max-unacked-updates",
    "mclt",
    "split",
    "hba",
    "load balance max seconds",
    "auto-partner-down",
)
_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")  # 192.168.001.010 is decimal for dhcpd
_SPACES = re.compile(r"\s*,\s*")


@dataclass
class _Found:
    relations: list[Relation] = field(default_factory=list)
    subnets: list[Subnet] = field(default_factory=list)
    pools: list[Pool] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    keys: dict[str, Setting] = field(default_factory=dict)
    includes: list[Setting] = field(default_factory=list)
    settings: dict[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True)
class _Scope:
    """What holds in a block: its own settings over those around it, whatever their order."""

    settings: Mapping[str, Setting] = field(default_factory=dict)
    relation: Setting | None = None

    def inside(self, block: tuple[Statement, ...]) -> _Scope:
        return replace(self, settings={**self.settings, **dict(_settings(block))})


def read(config: Config) -> Peer:
    """Read a dhcpd.conf.

    Raises:
        LintError: It can't be read, or dhcpd would refuse it.
    """
    statements = parse(config)
    found = _Found()
    scope = _Scope().inside(statements)
    _walk(statements, scope, found)
    return Peer(
        engine="isc",
        place=Place(printable(config.name)),
        relations=tuple(found.relations),
        subnets=tuple(found.subnets),
        pools=tuple(found.pools),
        hosts=tuple(found.hosts),
        settings=scope.settings,
        keys=found.keys,
        includes=tuple(found.includes),
    )


def _settings(block: tuple[Statement, ...]) -> Iterator[tuple[str, Setting]]:
    for statement in block:
        words = statement.words
        if statement.block is not None or not words:
            continue
        name = words[0].lower()
        if name in PARAMETERS:
            said = _setting(statement, 1)
            yield name, replace(said, value=said.value.lower()) if name in _FLAGS else said
        elif name == "option" and len(words) > 2 and words[2] != "code":  # noqa: PLR2004
            yield f"option {words[1].lower()}", _setting(statement, 2)
        elif statement.starts("not", "authoritative"):
            yield "authoritative", Setting("not", statement.place)


def _setting(statement: Statement, after: int) -> Setting:
    return Setting(_SPACES.sub(", ", statement.value(after)), statement.place)


def _walk(block: tuple[Statement, ...], scope: _Scope, found: _Found) -> None:
    """Read the statements of the file, a shared network, a group or a subnet, but those of pools and hosts."""
    for statement in block:
        inner = statement.block
        if inner is not None:
            _declaration(statement, inner, scope, found)
        elif statement.starts("include"):
            found.includes.append(_setting(statement, 1))


def _declaration(statement: Statement, inner: tuple[Statement, ...], scope: _Scope, found: _Found) -> None:
    match statement.words[0].lower():
        case "failover":
            found.relations.append(_relation(statement, inner))
        case "shared-network":
            _walk(inner, _shared(scope, inner), found)
        case "group":
            _walk(inner, scope.inside(inner), found)
        case "subnet":
            _subnet(statement, inner, scope, found)
        case "pool":
            found.pools.append(_pool(statement, inner, scope))
        case "host":
            found.hosts += _hosts(inner)
        case "key":
            found.keys[statement.value(1)] = _key(statement, inner)
        case _:
            pass  # classes, conditions, zones: what they hold is not compared


def _shared(scope: _Scope, block: tuple[Statement, ...]) -> _Scope:
    """Pools of a shared network refer to its failover peer, if it names one (dhcpd's parse_pool_statement)."""
    refers = [_setting(s, 2) for s in block if s.block is None and s.starts("failover", "peer")]
    return replace(scope.inside(block), relation=refers[-1] if refers else scope.relation)


def _subnet(statement: Statement, block: tuple[Statement, ...], scope: _Scope, found: _Found) -> None:
    words = statement.words
    try:
        if len(words) != 4 or not statement.starts("subnet", words[1].lower(), "netmask"):  # noqa: PLR2004
            raise ValueError("subnet ADDRESS netmask MASK is wanted")  # noqa: TRY301
        network = IPv4Network(f"{IPv4Address(_plain(words[1]))}/{IPv4Address(_plain(words[3]))}")
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise syntax.broken(statement.place, f"no subnet: {error}", printable(" ".join(words))) from error
    inside = scope.inside(block)
    found.subnets.append(Subnet(statement.place, network, inside.settings))
    ranges = tuple(_range(s) for s in block if _is_range(s))
    if ranges:  # dhcpd makes a pool of these that knows no failover
        permits = tuple(_bootp(s) for s in block if _is_range(s) and s.starts("range", "dynamic-bootp"))
        found.pools.append(Pool(ranges[0].place, ranges, permits=permits, settings=inside.settings))
    _walk(block, inside, found)


def _pool(statement: Statement, block: tuple[Statement, ...], scope: _Scope) -> Pool:
    relation = scope.relation
    for inner in block:
        if inner.starts("no", "failover", "peer"):
            relation = None
        elif inner.starts("failover", "peer"):
            relation = _setting(inner, 2)
    permits = [Setting(" ".join(s.words).lower(), s.place) for s in block if s.starts("allow") or s.starts("deny")]
    permits += [_bootp(s) for s in block if s.starts("range", "dynamic-bootp")]
    ranges = tuple(_range(s) for s in block if _is_range(s))
    return Pool(statement.place, ranges, relation, (), tuple(permits), scope.inside(block).settings)


def _bootp(statement: Statement) -> Setting:
    return Setting("range dynamic-bootp", statement.place)


def _is_range(statement: Statement) -> bool:
    return statement.block is None and statement.starts("range")


def _range(statement: Statement) -> Range:
    words = statement.words[2 if statement.starts("range", "dynamic-bootp") else 1 :]
    if not 1 <= len(words) <= 2:  # noqa: PLR2004
        raise syntax.broken(statement.place, "a range wants one or two addresses", printed([statement]).strip())
    ends = sorted(int(_address(word, statement)) for word in words)  # dhcpd takes them in any order
    return Range(ends[0], ends[-1], statement.place)


def _address(word: str, statement: Statement) -> IPv4Address:
    try:
        return IPv4Address(_plain(word))
    except AddressValueError as error:
        shown = printable(printed([statement])).strip()
        raise syntax.broken(statement.place, f"no address: {printable(word)}", shown) from error


def _plain(word: str) -> str:
    return _ZEROS.sub("", word)


def _relation(statement: Statement, block: tuple[Statement, ...]) -> Relation:
    settings: dict[str, Setting] = {}
    for inner in block:
        for role in ("primary", "secondary"):
            if inner.words and inner.starts(role):
                settings["role"] = Setting(role, inner.place)
        text = " ".join(inner.words).lower()
        for name in _RELATION:
            if text.startswith(f"{name} "):
                value = _setting(inner, len(name.split()))
                settings[name] = Setting(_plain(value.value), value.place) if "address" in name else value
                break
    return Relation(statement.value(2), statement.place, settings)


def _hosts(block: tuple[Statement, ...]) -> Iterator[Host]:
    client = next((s.value(2).lower() for s in block if s.starts("hardware")), "")
    client = client or next((s.value(2) for s in block if s.starts("option", "dhcp-client-identifier")), "")
    for statement in block:
        if statement.starts("fixed-address"):
            for word in statement.words[1:]:
                try:
                    yield Host(statement.place, client, IPv4Address(_plain(word)))
                except AddressValueError:
                    continue  # a comma, or a name, which dhcpd looks up


def _key(statement: Statement, block: tuple[Statement, ...]) -> Setting:
    """Algorithm and secret, for comparison; rules must not show it."""
    parts = {s.words[0].lower(): "".join(unquoted(w) for w in s.words[1:]) for s in block if s.words}
    return Setting(f"{parts.get('algorithm', '').lower()} {parts.get('secret', '')}", statement.place)
