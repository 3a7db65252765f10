"""Configurations in, findings out."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from labbuilder.errors import LintError
from labbuilder.lint import dhcpd_peer, kea_pair, kea_peer, versions
from labbuilder.lint.discreet import discreet
from labbuilder.lint.model import Engine, Finding, Hit, Pair, Peer, Rule, Severity
from labbuilder.lint.rules import RULES
from labbuilder.lint.source import Config, Reader, printable

_ORDER = {severity: index for index, severity in enumerate(Severity)}


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection: trees and peers have no cycles, and to look for some took a quarter of the time."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def lint_pair(
    a: Config | Path,
    b: Config | Path,
    *,
    clients: int | None = None,
    cold_standby: bool = False,
    engine_version: str | None = None,
) -> tuple[Finding, ...]:
    """Compare the configurations of two failover peers, in either order.

    Args:
        a: One peer's dhcpd.conf or Kea configuration, read or as a path.
        b: The other peer's.
        clients: So many clients are expected; without it the size of a hot standby's pool is only noted.
        cold_standby: dhcpd on one of the two is off until an operator starts it, so no failover is wanted.
        engine_version: The Kea that runs them, such as ``kea-2.6``; None: what only some releases
            refuse is a note.

    Returns:
        Errors first, then warnings, then notes; each in the order of its place.

    Raises:
        LintError: One can't be read or parsed, or they are for different servers.
    """
    pair = read_pair(_config(a), _config(b), clients=clients, cold_standby=cold_standby, engine_version=engine_version)
    return findings_of(pair)


def lint_server(
    one: Config | Path, *, clients: int | None = None, engine_version: str | None = None
) -> tuple[Finding, ...]:
    """Look at one server's configuration by itself: all rules that need no partner.

    Args:
        one: A dhcpd.conf or Kea configuration, read or as a path; it need not be one of a pair.
        clients: So many clients are expected.
        engine_version: As of `lint_pair`.

    Returns:
        As `lint_pair`.

    Raises:
        LintError: It can't be read or parsed.
    """
    return findings_of(read_pair(_config(one), clients=clients, engine_version=engine_version))


@_uncollected()
def read_pair(
    *configs: Config, clients: int | None = None, cold_standby: bool = False, engine_version: str | None = None
) -> Pair:
    """Read two peers' configurations, or one, which is then both.

    Raises:
        LintError: One can't be read or parsed, or they are for different servers.
    """
    peers = _peers(*configs) if len(configs) > 1 else (_read(configs[0], engine_of(configs[0])),)
    return Pair(peers[0], peers[-1], clients, cold_standby, _releases(peers[0], engine_version))


def _releases(peer: Peer, engine_version: str | None) -> tuple[versions.Release, ...]:
    """Those of Kea that may be meant; of no weight for dhcpd, of which there is one."""
    wanted = peer.engine == "kea" or engine_version is not None
    return versions.releases(engine_version) if wanted else versions.RELEASES


def _config(given: Config | Path) -> Config:
    return given if isinstance(given, Config) else Config.from_file(given)


@_uncollected()
def findings_of(pair: Pair) -> tuple[Finding, ...]:
    """What the rules find: errors first, then warnings, then notes; each in the order of its place."""
    rules = [rule for rule in RULES if pair.a.engine in rule.engines and not (pair.alone and rule.needs_partner)]
    found = {_finding(rule, hit) for rule in rules for hit in rule.find(pair)}
    return tuple(sorted(found, key=lambda f: (_ORDER[f.severity], f.where, f.rule, f.what)))


def _peers(a: Config, b: Config) -> tuple[Peer, Peer]:
    engines = engine_of(a), engine_of(b)
    if engines[0] != engines[1]:
        names = {"isc": "dhcpd (isc-dhcp-server)", "kea": "Kea"}
        raise LintError(
            brief=f"{printable(a.name)} is for {names[engines[0]]}, {printable(b.name)} for {names[engines[1]]}",
            details="ISC dhcpd and Kea do not speak each other's failover protocol.",
            resolution="name two configurations for the same server",
        )
    found = _read(a, engines[0]), _read(b, engines[1])
    return kea_pair.shared(*found) if engines[0] == "kea" else found


def _read(config: Config, engine: Engine) -> Peer:
    texts = [config.text]

    def include(name: str) -> str | bytes:
        texts.append(found := config.include(name))
        return found

    read = kea_peer.read if engine == "kea" else dhcpd_peer.read
    try:
        return read(replace(config, include=include))
    except LintError as error:
        raise discreet(error, config, texts) from None


def engine_of(config: Config) -> Engine:
    """For which server it is: Kea's is one JSON object, and no statement of dhcpd.conf begins with a brace.

    Raises:
        LintError: It is no text.
    """
    lines = (line.strip() for line in Reader(config).text().splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return "kea" if first.startswith(("{", "//", "/*", "<?include", "[")) else "isc"


def _finding(rule: Rule, hit: Hit) -> Finding:
    return Finding(
        rule=rule.id,
        severity=rule.severity,
        where=hit.where,
        what=printable(hit.what),
        why=rule.why,
        mend=rule.mend,
        source=rule.source,
        other=hit.other if hit.other != hit.where else None,
    )
