"""What libdhcp_ha.so refuses when kea-dhcp4 starts; `kea-dhcp4 -t` tells none of it.

After HAConfigParser (ha_config_parser.cc), HAConfig::validate (ha_config.cc), Url (url.cc) and BasicHttpAuth
(basic_auth.cc), the same from Kea 2.2 to 3.2 but where a release is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from ipaddress import ip_address
from typing import NamedTuple

from labbuilder.lint.kea import Value, members
from labbuilder.lint.model import Fault
from labbuilder.lint.source import printable
from labbuilder.lint.versions import RELEASES

PARAMETERS, NAMES, URLS, TLS, MODE, ROLES, SERVER_NAME, UNFIT, MISSPELT = (
    "ha-parameters",
    "ha-peer-names",
    "ha-urls",
    "ha-tls",
    "ha-mode",
    "ha-roles",
    "ha-server-name",
    "ha-unfit",
    "ha-misspelt",
)
MODES = {
    "hot-standby": ("primary", "standby"),
    "load-balancing": ("primary", "secondary"),
    "passive-backup": ("primary",),
}
_ALL_ROLES = ("primary", "secondary", "standby", "backup")
_TLS_FILES = ("trust-anchor", "cert-file", "key-file")
_SHORT, _LONG = 65535, 4294967295
_STATES = (
    "backup",
    "communication-recovery",
    "hot-standby",
    "load-balancing",
    "in-maintenance",
    "partner-down",
    "partner-in-maintenance",
    "passive-backup",
    "ready",
    "syncing",
    "terminated",
    "waiting",
    "unavailable",
)
_PAUSES = ("always", "never", "once")
_SEVERAL = frozenset(release for release in RELEASES if release >= (2, 4))
_ONE = frozenset(RELEASES) - _SEVERAL

_RELATION: Mapping[str, str | int] = {
    **dict.fromkeys(("this-server-name", "mode", *_TLS_FILES), "string"),
    **dict.fromkeys(
        ("send-lease-updates", "sync-leases", "wait-backup-ack", "require-client-certs", "restrict-commands"), "boolean"
    ),
    **dict.fromkeys(("heartbeat-delay", "max-response-delay", "max-ack-delay"), _SHORT),
    **dict.fromkeys(
        (
            "sync-timeout",
            "sync-page-limit",
            "delayed-updates-limit",
            "max-unacked-clients",
            "max-rejected-lease-updates",
        ),
        _LONG,
    ),
    **dict.fromkeys(("multi-threading", "state-machine"), "map"),
    "peers": "list",
}
_THREADS: Mapping[str, str | int] = {
    **dict.fromkeys(("enable-multi-threading", "http-dedicated-listener"), "boolean"),
    **dict.fromkeys(("http-listener-threads", "http-client-threads"), _LONG),
}
_AUTHENTICATION = ("basic-auth-user", "basic-auth-password", "basic-auth-password-file")
_PEER: Mapping[str, str | int] = {
    **dict.fromkeys(("name", "url", "role", *_TLS_FILES, *_AUTHENTICATION, "basic-auth-user-file"), "string"),
    "auto-failover": "boolean",
}
_STATE: Mapping[str, str | int] = {"state": "string", "pause": "string"}
_COMMENTS = {"user-context", "comment"}
_URL = re.compile(r"(https?)://(\[[^\]]+\]|[^:/\[][^:]*(?=:)|[^:/\[][^/:]*)(?::([^/]*))?(/.*)?")


class Url(NamedTuple):
    """A peer's URL, as Kea takes it apart."""

    scheme: str
    host: str
    port: int


def faults(parameters: Value) -> Iterator[Fault]:
    """What is refused among the parameters of libdhcp_ha.so."""
    found = parameters.get("high-availability")
    if found is None:
        return
    relations = found.data if isinstance(found.data, tuple) else ()
    if not relations:
        yield Fault(PARAMETERS, found.place, "high-availability is no list of one or more objects")
    if len(relations) > 1:
        yield Fault(PARAMETERS, relations[1].place, "there is more than one relationship", _ONE)
        yield from _between(relations)
    for relation in relations:
        if relation.kind != "map":
            yield Fault(PARAMETERS, relation.place, "a relationship is no object")
        else:
            yield from _relation(relation)


def _between(relations: tuple[Value, ...]) -> Iterator[Fault]:
    """HAConfigParser::validateRelationships, and HARelationshipMapper::map."""
    owners: dict[str, Value] = {}
    for relation in relations:
        if relation.text("mode") != "hot-standby":
            yield Fault(MODE, _at(relation, "mode").place, "several relationships are for hot-standby alone", _SEVERAL)
        for peer in relation.items("peers"):
            name = peer.text("name")
            if name is not None and owners.setdefault(name, relation) is not relation:
                yield Fault(NAMES, peer.place, f"a peer of two relationships is called {printable(name)}", _SEVERAL)


def _relation(relation: Value) -> Iterator[Fault]:
    yield from _types(relation, _RELATION, "high-availability")
    for name in ("multi-threading", "state-machine"):
        inner = relation.get(name)
        if inner is not None and inner.kind == "map":
            yield from _types(inner, _THREADS, name) if name == "multi-threading" else _states(inner)
    peers = tuple(peer for peer in relation.items("peers") if peer.kind == "map")
    for peer in relation.items("peers"):
        if peer.kind != "map":
            yield Fault(PARAMETERS, peer.place, "a peer is no object")
    for needed in ("mode", "this-server-name", "peers"):
        if relation.get(needed) is None:
            yield Fault(PARAMETERS, relation.place, f"high-availability without {needed}")
    yield from _names(relation, peers)
    for peer in peers:
        yield from _peer(peer, relation)
    yield from _mode(relation, peers)


def _types(value: Value, known: Mapping[str, str | int], where: str) -> Iterator[Fault]:
    for name, member in members(value):
        wanted = known.get(name)
        if wanted is None:
            if name not in _COMMENTS:
                near = get_close_matches(name, known, 1)
                meant = f": {near[0]} is meant?" if near else ""
                yield Fault(MISSPELT, member.key_place, f"{printable(name)} is no parameter of {where}{meant}")
        elif isinstance(wanted, str):
            if member.kind != wanted:
                yield Fault(PARAMETERS, member.place, f"{name} is a {member.kind}, where a {wanted} is taken")
        elif member.kind != "integer":
            yield Fault(PARAMETERS, member.place, f"{name} is a {member.kind}, where an integer is taken")
        elif not 0 <= int(str(member.data)) <= wanted:
            yield Fault(PARAMETERS, member.place, f"{name} is {member.data}, where 0 to {wanted} is taken")


def _states(machine: Value) -> Iterator[Fault]:
    seen: set[str] = set()
    for state in machine.items("states"):
        yield from _types(state, _STATE, "a state")
        name, pause = state.text("state"), state.text("pause")
        if name not in _STATES:
            yield Fault(PARAMETERS, state.place, f"the state {printable(name or '')} is not known")
        elif name in seen:
            yield Fault(PARAMETERS, state.place, f"the state {name} stands twice")
        seen.add(name or "")
        if pause is not None and pause not in _PAUSES:
            yield Fault(PARAMETERS, _at(state, "pause").place, f"pause is {printable(pause)}, not {', '.join(_PAUSES)}")


def _names(relation: Value, peers: tuple[Value, ...]) -> Iterator[Fault]:
    first: dict[str, Value] = {}
    for peer in peers:
        name = peer.text("name")
        if name is None or not name.strip():
            yield Fault(NAMES, peer.place, "a peer has no name")
        elif name in first:
            yield Fault(NAMES, peer.place, f"two peers have the same name, {printable(name)}", other=first[name].place)
        first.setdefault(name or "", peer)
    mine = relation.text("this-server-name")
    if mine is not None and mine.strip() not in first:
        near = get_close_matches(mine, [name for name in first if name], 1)
        meant = f": {printable(near[0])} is meant?" if near else ""
        what = f"this-server-name {printable(mine) or 'is empty, and'} is none of the peers{meant}"
        yield Fault(SERVER_NAME, _at(relation, "this-server-name").place, what)


def _peer(peer: Value, relation: Value) -> Iterator[Fault]:
    yield from _types(peer, _PEER, "a peer")
    name, role = printable(peer.text("name") or "a peer"), peer.text("role")
    if role not in _ALL_ROLES:
        near = get_close_matches(role or "", _ALL_ROLES, 1)
        meant = f": {near[0]} is meant?" if near else ""
        yield Fault(ROLES, _at(peer, "role").place, f"{name} has the role {printable(role or 'of nobody')}{meant}")
    if "basic-auth-password" in peer.data and "basic-auth-password-file" in peer.data:
        yield Fault(PARAMETERS, peer.place, f"{name} has basic-auth-password and basic-auth-password-file")
    if ":" in (peer.text("basic-auth-user") or ""):
        yield Fault(PARAMETERS, _at(peer, "basic-auth-user").place, f"the basic-auth-user of {name} holds a colon")
    given = [file for file in _TLS_FILES if _inherited(file, peer, relation)]
    lacking = [file for file in _TLS_FILES if file not in given]
    if given and lacking:
        yield Fault(TLS, peer.place, f"{name} has {' and '.join(given)}, but not {' and '.join(lacking)}")
    text = peer.text("url")
    if text is None:
        yield Fault(URLS, peer.place, f"the peer {name} has no url")
        return
    at = _at(peer, "url").place
    url = taken_apart(text)
    if isinstance(url, str):
        yield Fault(URLS, at, f"{url}: {printable(text)}")
    elif url.scheme == "https" and not given:
        yield Fault(TLS, at, f"{name} has https, but no {' or '.join(_TLS_FILES)}")


def _inherited(name: str, peer: Value, relation: Value) -> str | None:
    return peer.text(name) if peer.get(name) is not None else relation.text(name)


def taken_apart(text: str) -> Url | str:
    """A URL, or what is wrong with it."""
    match = _URL.fullmatch(text)
    if match is None:
        return "no URL of the form http://ADDRESS:PORT/"
    if match[3] is not None and not re.fullmatch(r"[+-]?[0-9]{1,10}", match[3]):
        return "its port is no number"
    try:
        ip_address(match[2].strip("[]"))
    except ValueError:
        return "Kea takes an address there, and looks up no name"
    return Url(match[1], match[2].strip("[]"), int(match[3] or 0))


def _mode(relation: Value, peers: tuple[Value, ...]) -> Iterator[Fault]:
    mode = relation.text("mode")
    if mode is None:
        return
    if mode not in MODES:
        near = get_close_matches(mode, MODES, 1)
        meant = f": {near[0]} is meant?" if near else ""
        yield Fault(MODE, _at(relation, "mode").place, f"mode is {printable(mode)}{meant}")
        return
    roles = sorted(role for peer in peers if (role := peer.text("role")) in _ALL_ROLES and role != "backup")
    if roles != sorted(MODES[mode]) and all(peer.text("role") in _ALL_ROLES for peer in peers):
        at = peers[0].place if peers else _at(relation, "peers").place
        yield Fault(ROLES, at, f"{mode} with the roles {', '.join(roles) or 'of nobody'}")
    if mode != "passive-backup" and relation.text("wait-backup-ack") == "true":
        yield Fault(UNFIT, _at(relation, "wait-backup-ack").place, f"wait-backup-ack is true in {mode}")
    limit = relation.get("delayed-updates-limit")
    if mode != "load-balancing" and limit is not None and limit.kind == "integer" and int(str(limit.data)) > 0:
        yield Fault(UNFIT, limit.place, f"delayed-updates-limit is {limit.data} in {mode}")


def _at(value: Value, name: str) -> Value:
    """The member, or where it lacks."""
    return value.get(name) or value
