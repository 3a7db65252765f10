"""Statements of dhcpd.conf that one kind of block takes: failover peers, pools, hosts, classes, keys, zones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from labbuilder.lint.dhcpd_expressions import condition, data
from labbuilder.lint.dhcpd_options import Options, value
from labbuilder.lint.dhcpd_statements import secret
from labbuilder.lint.dhcpd_words import Words, Wrong

if TYPE_CHECKING:
    from labbuilder.lint.dhcpd_grammar import Frame

Own = Callable[["Frame", Words, Options], None]
Listed = Callable[["Frame", Words], None]
_STATES = (
    *("unknown-state", "partner-down", "normal", "communications-interrupted", "conflict-done"),
    *("resolution-interrupted", "potential-conflict", "recover", "recover-wait", "recover-done", "shutdown", "paused"),
    "startup",
)
_MEDIA = ("ethernet", "token-ring", "fddi", "infiniband")
_LONGEST_HARDWARE = 20


def _once(frame: Frame, what: str) -> None:
    if what in frame.seen:
        raise Wrong(0, said=f"{what} is said twice in this {frame.context}")
    frame.seen.add(what)


def _alone(frame: Frame, words: Words, *_: Options) -> None:
    """A statement of one word."""
    del frame
    words.at = max(words.at, 1)


def _number(frame: Frame, words: Words) -> None:
    del frame
    words.number()


def _host(frame: Frame, words: Words) -> None:
    del frame
    words.host()


def _hba(frame: Frame, words: Words) -> None:
    del frame
    words.hexadecimal()


def _load(frame: Frame, words: Words) -> None:
    del frame
    words.keyword("balance")
    words.keyword("max")
    words.keyword("seconds")
    words.number()


def _peer(frame: Frame, words: Words) -> None:
    """What is said of the partner: dhcpd takes any statement after the word peer."""
    name = words.keyword(*_FAILOVER)
    _FAILOVER[name](frame, words)


_FAILOVER: Mapping[str, Listed] = {
    "primary": _alone,
    "secondary": _alone,
    "address": _host,
    "port": _number,
    "peer": _peer,
    "max-response-delay": _number,
    "max-unacked-updates": _number,
    "mclt": _number,
    "split": _number,
    "hba": _hba,
    "load": _load,
    "auto-partner-down": _number,
    "max-lease-misbalance": _number,
    "max-lease-ownership": _number,
    "min-balance": _number,
    "max-balance": _number,
}


def _state(frame: Frame, words: Words) -> None:
    del frame
    words.keyword("state")
    words.keyword(*_STATES)
    if words.skip("at"):
        words.rest()


def _algorithm(frame: Frame, words: Words) -> None:
    _once(frame, "algorithm")
    words.domain()


def _secret(frame: Frame, words: Words) -> None:
    _once(frame, "secret")
    secret(words)


def _zone_servers(frame: Frame, words: Words) -> None:
    _once(frame, words.words[0].lower())
    if words.words[0].endswith("6"):
        words.ipv6()
        while words.comma():
            words.ipv6()
    else:
        words.hosts()


def _zone_key(frame: Frame, words: Words) -> None:
    del frame
    if words.peek()[:1] == '"':
        words.string()
    else:
        words.domain()


CLOSED: Mapping[str, Mapping[str, Listed]] = {
    "failover peer": _FAILOVER,
    "failover peer's state": {"my": _state, "partner": _state, "mclt": _number},
    "key": {"algorithm": _algorithm, "secret": _secret},
    "zone": {
        "primary": _zone_servers,
        "secondary": _zone_servers,
        "primary6": _zone_servers,
        "secondary6": _zone_servers,
        "key": _zone_key,
    },
}
"""Blocks that take no other statements than these."""


def address_range(frame: Frame, words: Words, options: Options) -> None:
    """``range [dynamic-bootp] FIRST [LAST]``."""
    del frame, options
    words.at = 1
    words.skip("dynamic-bootp")
    words.address()
    if words.at < len(words.words):
        words.address()


def _permit(frame: Frame, words: Words, options: Options) -> None:
    """What a pool allows or denies."""
    del options
    words.at = 1
    what = words.keyword(
        *("known-clients", "unknown-clients", "known", "unknown", "authenticated", "unauthenticated", "all"),
        *("dynamic", "members", "after"),
    )
    match what:
        case "members":
            words.keyword("of")
            words.string("the name of a class in quotes")
        case "after":
            _once(frame, "after")
            words.rest()
        case "known-clients" | "unknown-clients":
            pass
        case _:
            if what == "dynamic":
                words.keyword("bootp")
            words.keyword("clients")


def _pool_peer(frame: Frame, words: Words, options: Options) -> None:
    del frame, options
    words.at = 1
    words.keyword("peer")
    words.string("the name of the failover peer in quotes")


def _no_failover(frame: Frame, words: Words, options: Options) -> None:
    del frame, options
    words.at = 1
    words.keyword("failover")
    words.keyword("peer")


def _network_peer(frame: Frame, words: Words, options: Options) -> None:
    del frame, options
    words.at = 1
    words.keyword("peer")
    words.string_or_name("the name of the failover peer")


def _interface(frame: Frame, words: Words, options: Options) -> None:
    del frame, options
    words.at = min(2, len(words.words))
    if words.at < 2:  # noqa: PLR2004
        raise words.wrong("the name of an interface")


def _hardware(frame: Frame, words: Words, options: Options) -> None:
    del options
    _once(frame, "hardware")
    words.at = 1
    if words.peek().startswith("unknown-"):
        words.at += 1
    else:
        words.keyword(*_MEDIA)
    if words.at < len(words.words) and words.hexadecimal() > _LONGEST_HARDWARE:
        raise Wrong(words.at - 1, f"a hardware address of at most {_LONGEST_HARDWARE} bytes")


def _fixed_address(frame: Frame, words: Words, options: Options) -> None:
    del options
    _once(frame, "fixed-address")
    words.at = 1
    words.hosts()


def _anything(frame: Frame, words: Words, options: Options) -> None:
    del frame, options
    words.rest()


def _host_group(frame: Frame, words: Words, options: Options) -> None:
    del frame, options
    words.at = 1
    words.string_or_name("the name of a group")


def _uid(frame: Frame, words: Words, options: Options) -> None:
    del options
    _once(frame, "uid")
    words.at = 1
    if words.peek()[:1] == '"':
        words.string()
    else:
        words.hexadecimal()


def _host_identifier(frame: Frame, words: Words, options: Options) -> None:
    _once(frame, "host-identifier")
    words.at = 1
    if words.skip("v6relopt"):
        words.number()
    else:
        words.keyword("option")
    value(words, options.form(words), options)


def _match(frame: Frame, words: Words, options: Options) -> None:
    words.at = 1
    if words.skip("if"):
        _once(frame, "match if")
        condition(words, options)
    else:
        _once(frame, "match or spawn")
        data(words, options)


def _spawn(frame: Frame, words: Words, options: Options) -> None:
    _once(frame, "match or spawn")
    words.at = 1
    words.keyword("with")
    data(words, options)


def _limit(frame: Frame, words: Words, options: Options) -> None:
    del frame, options
    words.at = 1
    words.keyword("limit")
    words.number()


def _super_only(frame: Frame, words: Words, options: Options) -> None:
    del frame, options
    raise Wrong(0, said=f"'{words.words[0]}' is not allowed in a subclass")


_SUBCLASS: Mapping[str, Own] = {
    "match": _super_only,
    "spawn": _super_only,
    "lease": _limit,
    "dynamic": _alone,
    "deleted": _alone,
}
OWN: Mapping[str, Mapping[str, Own]] = {
    "pool": {
        "range": address_range,
        "allow": _permit,
        "deny": _permit,
        "failover": _pool_peer,
        "no": _no_failover,
    },
    "subnet": {"range": address_range, "interface": _interface},
    "an include in subnet": {"range": address_range},
    "shared-network": {"failover": _network_peer, "interface": _interface},
    "an include in shared-network": {"failover": _network_peer},
    "host": {
        "hardware": _hardware,
        "fixed-address": _fixed_address,
        "fixed-address6": _anything,
        "fixed-prefix6": _anything,
        "group": _host_group,
        "uid": _uid,
        "host-identifier": _host_identifier,
        "dynamic": _alone,
        "deleted": _alone,
    },
    "an include in host": {"hardware": _hardware, "fixed-address": _fixed_address},
    "class": {**_SUBCLASS, "match": _match, "spawn": _spawn},
    "subclass": _SUBCLASS,
    "group": {"dynamic": _alone, "deleted": _alone, "static": _alone},
}
"""Statements that one kind of block takes, beside those that any takes."""
