"""Rules on hosts, classes and the names that declarations give; mostly of dhcpd."""

from __future__ import annotations

from collections.abc import Iterator

from labbuilder.lint.model import Hit, Host, Pair, Peer, Setting
from labbuilder.lint.rules.base import BOTH, ISC, Rules
from labbuilder.lint.space import Networks

rules = Rules(ISC)


@rules.warning(
    "hosts-differ",
    needs_partner=True,
    engines=BOTH,
    why="the client keeps its address only while the server that knows of it answers",
    mend="write the same host declarations on both, best in one file that both include",
    source="dhcpd.conf(5), The host statement; Kea ARM, Host Reservations",
)
def hosts_differ(pair: Pair) -> Iterator[Hit]:
    for peer, partner in pair.sides:
        known = {(host.client, host.address, host.name) for host in partner.hosts}
        clients: dict[str, list[Host]] = {}
        for host in partner.hosts:
            clients.setdefault(host.client, []).append(host)
        networks = Networks(subnet.network for subnet in partner.subnets) if pair.hub else None
        for host in peer.hosts:
            if host.address is None and peer.engine == "kea":
                continue  # kea-reservations-differ
            if (host.client, host.address, host.name) in known or _of_another(host, networks):
                continue
            theirs = clients.get(host.client, []) if host.client else []
            if any((other.name == "") != (host.name == "") for other in theirs):
                continue  # a name here, an address there: they may be the same
            yield Hit(host.place, _kept(host), theirs[0].place if theirs else None)


def _kept(host: Host) -> str:
    if host.address is None and not host.name:
        return "the partner has no host for this client"
    return f"the partner does not keep {host.address or host.name} for this client"


def _of_another(host: Host, networks: Networks | None) -> bool:
    """Whether a hub keeps it for the clients of another machine."""
    return networks is not None and (host.address is None or networks.holding(host.address) is None)


@rules.warning(
    "host-in-pool",
    why="dhcpd does not take a fixed address out of the pool: another client may have it",
    mend="choose a fixed-address outside of every range",
    source="dhcpd.conf(5), The host statement",
)
def host_in_pool(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        space = peer.space
        for host in peer.hosts:
            if entry := space.holding(host.address):
                yield Hit(host.place, f"{host.address} is in {entry}", entry.place)


@rules.warning(
    "classes-differ",
    needs_partner=True,
    why="a client is in the class with one server and not with the other: it gets another pool, or other options",
    mend="write the same classes and subclasses on both, best in one file that both include",
    source="dhcpd.conf(5), CLIENT CLASSING",
)
def classes_differ(pair: Pair) -> Iterator[Hit]:
    for name, mine, theirs in _unlike(pair, "classes"):
        kind = "subclass" if " " in name else "class"
        if mine and theirs:
            yield Hit(mine.place, f"the {kind} {name} holds other statements than there", theirs.place)
        elif one := mine or theirs:
            yield Hit(one.place, f"the partner has no {kind} {name}")


@rules.warning(
    "option-definitions-differ",
    needs_partner=True,
    why="the same name is another option, or another type, on the other server: clients get other bytes",
    mend="define the option in the same way on both",
    source="dhcp-options(5), DEFINING NEW OPTIONS",
)
def option_definitions_differ(pair: Pair) -> Iterator[Hit]:
    for name, mine, theirs in _unlike(pair, "definitions"):
        if mine and theirs:
            yield Hit(mine.place, f"option {name} is {mine.value} here, {theirs.value} there", theirs.place)
        elif one := mine or theirs:
            yield Hit(one.place, f"the partner does not define option {name}")


def _unlike(pair: Pair, what: str) -> Iterator[tuple[str, Setting | None, Setting | None]]:
    """Named things that are not the same: name, here, there. What a hub alone has may be for other machines."""
    there, here = (getattr(peer, what) for peer in pair.peers)
    for name in sorted(there.keys() | here.keys()):
        mine, theirs = here.get(name), there.get(name)
        if (mine is None or theirs is None) and pair.hub:
            continue
        if mine is None or theirs is None or mine.value != theirs.value:
            yield name, mine, theirs


@rules.error(
    "pool-relation-unknown",
    why="dhcpd does not start: it reads from top to bottom, and knows a failover peer only from its declaration on",
    mend="declare the failover peer in this file, before the networks whose pools refer to it",
    source="dhcpd 4.4, parse_pool_statement of server/confpars.c",
)
def pool_relation_unknown(pair: Pair) -> Iterator[Hit]:
    return _unknown(pair, only=True)


@rules.error(
    "undeclared",
    why="dhcpd does not start: it reads from top to bottom, and knows a name only from its declaration on",
    mend="declare it, before it is used; a key for omapi-key anywhere in the file",
    source="dhcpd 4.4, get_permit, parse_class_declaration and parse_host_declaration of server/confpars.c, parse_zone "
    "of common/parse.c",
)
def undeclared(pair: Pair) -> Iterator[Hit]:
    return _unknown(pair, only=False)


def _unknown(pair: Pair, *, only: bool) -> Iterator[Hit]:
    for peer in pair.peers:
        for found in peer.unknown:
            if (found.kind == "failover peer") == only:
                when = "declared only later" if found.other else "not declared"
                yield Hit(found.place, f'{found.kind} "{found.name}" is {when}', found.other)


@rules.error(
    "declared-twice",
    why="dhcpd does not start: it takes one failover peer, and one host, of a name",
    mend="take one of the two out, or give it another name",
    source="dhcpd 4.4, parse_failover_peer of server/confpars.c and enter_host of server/mdb.c",
)
def declared_twice(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        yield from _again(peer, key=False)


@rules.warning(
    "key-twice",
    why="one of the two is in effect, without a word from dhcpd: whose secret is the other's is refused",
    mend="take one of the two out, or give it another name",
    source="measured with dhcpd 4.4.3-P1",
)
def key_twice(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        yield from _again(peer, key=True)


def _again(peer: Peer, *, key: bool) -> Iterator[Hit]:
    for found in peer.again:
        if (found.kind == "key") == key:
            yield Hit(found.place, f'{found.kind} "{found.name}" is declared twice', found.other)


@rules.warning(
    "no-statement",
    why="dhcpd takes a word that it does not know for an expression: nothing happens, and dhcpd -t says nothing",
    mend="write the word that was meant, or take it out",
    source="dhcpd 4.4, parse_executable_statement of common/parse.c",
)
def no_statement(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        for word in peer.idle:
            yield Hit(word.place, f"{word.value} does nothing" + (f": {word.meant} is meant?" if word.meant else ""))
