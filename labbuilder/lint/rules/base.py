"""How a rule is written: a function that finds, and beside it why it matters and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from labbuilder.lint.model import Engine, Hit, Level, Pair, Rule, Severity

BOTH: tuple[Engine, ...] = ("isc", "kea")
ISC: tuple[Engine, ...] = ("isc",)
KEA: tuple[Engine, ...] = ("kea",)

FAILOVER = "dhcpd.conf(5), CONFIGURING FAILOVER"
DRAFT = "draft-ietf-dhc-failover-12"
KEA_HA = "Kea ARM, libdhcp_ha.so: High Availability"

Find = Callable[[Pair], Iterable[Hit]]


class Rules:
    """A table of rules, and what holds for those that say nothing else.

    Args:
        engines: For whose configurations they are.
        source: Where they come from.
    """

    def __init__(self, engines: tuple[Engine, ...], source: str = "") -> None:
        self._engines = engines
        self._source = source
        self.found: list[Rule] = []

    def error(self, name: str, **told: Any) -> Callable[[Find], Find]:
        """Enter a function that finds what is an error; what is told of it: `_enter`."""
        return self._enter(name, Severity.ERROR, **told)

    def warning(self, name: str, **told: Any) -> Callable[[Find], Find]:
        """Enter a function that finds what is to be warned of."""
        return self._enter(name, Severity.WARNING, **told)

    def note(self, name: str, **told: Any) -> Callable[[Find], Find]:
        """Enter a function that finds what is worth knowing."""
        return self._enter(name, Severity.NOTE, **told)

    def _enter(
        self,
        name: str,
        severity: Severity,
        *,
        why: str,
        mend: str,
        engines: tuple[Engine, ...] | None = None,
        source: str | None = None,
        needs_partner: bool = False,
    ) -> Callable[[Find], Find]:
        def enter(find: Find) -> Find:
            of = engines or self._engines
            self.found.append(Rule(name, severity, of, why, mend, source or self._source, find, needs_partner))
            return find

        return enter


def difference(here: Level, there: Level, name: str, default: str | None = None) -> Iterator[Hit]:
    """A setting that is not the same at both; ``default`` is what holds where it is not said."""
    mine, theirs = (level.settings.get(name) for level in (here, there))
    if (mine.compared if mine else default) != (theirs.compared if theirs else default):
        shown = [setting.value if setting else default or "not said" for setting in (mine, theirs)]
        yield Hit(here.at(name), f"{name} is {shown[0]} here, {shown[1]} there", there.at(name))
