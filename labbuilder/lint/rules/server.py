"""Rules on dhcpd as a whole: OMAPI and its keys, ping checks."""

from __future__ import annotations

from collections.abc import Iterator

from labbuilder.lint.model import Hit, Pair, Rule
from labbuilder.lint.rules.base import ISC, NOTE, WARNING, rule

RULES: list[Rule] = []


@rule(
    RULES,
    "omapi-differs",
    WARNING,
    ISC,
    why="the command that declares one server dead (partner-down) works on the other server not at all",
    mend="write the same omapi-port, omapi-key and key on both",
    source="dhcpd.conf(5), omapi-port and omapi-key; omshell(1)",
)
def omapi_differs(pair: Pair) -> Iterator[Hit]:
    for name in ("omapi-port", "omapi-key"):
        a, b = (peer.settings.get(name) for peer in (pair.a, pair.b))
        if (a.value if a else None) != (b.value if b else None):
            what = f"{name} is {b.value if b else 'not said'} here, {a.value if a else 'not said'} there"
            yield Hit(pair.b.at(name), what, pair.a.at(name))


@rule(
    RULES,
    "keys-differ",
    WARNING,
    ISC,
    why="what one server's key opens, the other refuses: a script for both fails on one, and that in an emergency",
    mend="write the same algorithm and secret on both",
    source="dhcpd.conf(5), omapi-key",
)
def keys_differ(pair: Pair) -> Iterator[Hit]:
    for name in sorted(pair.a.keys.keys() | pair.b.keys.keys()):
        a, b = pair.a.keys.get(name), pair.b.keys.get(name)
        if a is None or b is None:
            there = a or b
            yield Hit(
                (pair.a if a is None else pair.b).place, f"key {name} is not here", there.place if there else None
            )
        elif a.value != b.value:
            yield Hit(b.place, f"key {name} has another algorithm or secret than there", a.place)


@rule(
    RULES,
    "omapi-without-key",
    WARNING,
    ISC,
    why="dhcpd listens for OMAPI on all addresses, and answers without a key to anybody",
    mend="declare a key, and write omapi-key NAME",
    source="dhcpd.conf(5), omapi-port; measured with dhcpd 4.4.3-P1",
)
def omapi_without_key(pair: Pair) -> Iterator[Hit]:
    for peer, _ in pair.sides:
        if "omapi-port" in peer.settings and "omapi-key" not in peer.settings:
            yield Hit(peer.at("omapi-port"), "omapi-port is said without omapi-key")


@rule(
    RULES,
    "ping-check-differs",
    NOTE,
    ISC,
    why="one server asks by ICMP whether an address is free, which costs 1 s for each offer, the other does not",
    mend="write the same ping-check on both",
    source="dhcpd.conf(5), The ping-check statement",
)
def ping_check_differs(pair: Pair) -> Iterator[Hit]:
    a, b = ((p.settings["ping-check"].value if "ping-check" in p.settings else "true") for p in (pair.a, pair.b))
    if a.lower() != b.lower():
        yield Hit(pair.b.at("ping-check"), f"ping-check is {b} here, {a} there", pair.a.at("ping-check"))
