"""Rules on a server as a whole: OMAPI and its keys, includes."""

from __future__ import annotations

from collections.abc import Iterator

from labbuilder.lint.model import Hit, Pair
from labbuilder.lint.rules.base import BOTH, ISC, Rules, difference

rules = Rules(ISC)


@rules.warning(
    "omapi-differs",
    needs_partner=True,
    why="the command that declares one server dead (partner-down) works on the other server not at all",
    mend="write the same omapi-port, omapi-key and key on both",
    source="dhcpd.conf(5), omapi-port and omapi-key; omshell(1)",
)
def omapi_differs(pair: Pair) -> Iterator[Hit]:
    for name in ("omapi-port", "omapi-key"):
        yield from difference(pair.b, pair.a, name)


@rules.warning(
    "keys-differ",
    needs_partner=True,
    why="what one server's key opens, the other refuses: a script for both fails on one, and that in an emergency",
    mend="write the same algorithm and secret on both",
    source="dhcpd.conf(5), omapi-key",
)
def keys_differ(pair: Pair) -> Iterator[Hit]:
    for name in sorted(pair.a.keys.keys() | pair.b.keys.keys()):
        a, b = pair.a.keys.get(name), pair.b.keys.get(name)
        if (a is None or b is None) and pair.hub:
            continue  # it may be for another machine
        if a is None or b is None:
            there = a or b
            yield Hit(
                (pair.a if a is None else pair.b).place, f"key {name} is not here", there.place if there else None
            )
        elif a.value != b.value:
            yield Hit(b.place, f"key {name} has another algorithm or secret than there", a.place)


@rules.warning(
    "omapi-without-key",
    why="dhcpd listens for OMAPI on all addresses, and answers without a key to anybody",
    mend="declare a key, and write omapi-key NAME",
    source="dhcpd.conf(5), omapi-port; measured with dhcpd 4.4.3-P1",
)
def omapi_without_key(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        if "omapi-port" in peer.settings and "omapi-key" not in peer.settings:
            yield Hit(peer.at("omapi-port"), "omapi-port is said without omapi-key")


@rules.note(
    "include-relative",
    engines=BOTH,
    why="the daemon looks for it in the folder in which it was started, / under systemd: not beside this file",
    mend="write the whole path",
    source="dhcpd 4.4, read_conf_file of server/confpars.c, and Kea's dhcp4_lexer.ll: the name is opened as it is",
)
def include_relative(pair: Pair) -> Iterator[Hit]:
    for peer in pair.peers:
        for include in peer.includes:
            if not include.value.startswith("/"):
                yield Hit(include.place, f"the include of {include.value} is relative")
