"""How a rule is written: a function that finds, and beside it why it matters and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from labbuilder.lint.model import Engine, Hit, Pair, Rule, Severity

BOTH: tuple[Engine, ...] = ("isc", "kea")
ISC: tuple[Engine, ...] = ("isc",)
KEA: tuple[Engine, ...] = ("kea",)
ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE

MAN = "dhcpd.conf(5)"
FAILOVER = "dhcpd.conf(5), CONFIGURING FAILOVER"
DRAFT = "draft-ietf-dhc-failover-12"
KEA_HA = "Kea ARM, libdhcp_ha.so: High Availability"

Find = Callable[[Pair], Iterable[Hit]]


def rule(
    table: list[Rule],
    name: str,
    severity: Severity,
    engines: tuple[Engine, ...],
    *,
    why: str,
    mend: str,
    source: str,
) -> Callable[[Find], Find]:
    """Enter a function into a table of rules."""

    def enter(find: Find) -> Find:
        table.append(Rule(name, severity, engines, why, mend, source, find))
        return find

    return enter
