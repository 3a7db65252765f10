"""What nobody planned and should not be there: rules of the firewall, and routes.

A lab with services of other packages is not asked for rules and routes: they may have their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.lab import MachinePlan, Plan

_NONE = "none"
_RULES = {"0: from all lookup local", "32766: from all lookup main", "32767: from all lookup default"}
_SWALLOWING = ("blackhole", "unreachable", "prohibit", "throw")


def rules_check(lab: Plan, me: MachinePlan, *planned: str) -> Iterator[Check]:
    """Return the check that no chain has another rule or policy than planned."""
    if not lab.services:
        title = "the firewall has no other rule than the plan's"
        yield Check("firewall", me.name, title, "iptables-save", _no_other_rule(set(planned)))


def routes_check(lab: Plan, me: MachinePlan) -> Iterator[Check]:
    """Return the check that what is routed is routed as planned."""
    if not lab.services:
        title = "it has no other route or rule of routing than the plan's"
        yield Check("routes", me.name, title, "ip -4 route show table all; ip -4 rule", _no_other_route(lab, me))


def _no_other_rule(planned: set[str]) -> Judge:
    def judge(result: Result) -> Judgement:
        table, wrong = "", []
        for line in result.stdout.splitlines():
            table = line[1:] if line.startswith("*") else table
            if line.startswith("-A") and f"{table} {line}" not in planned:
                wrong.append(f"{table}: {line}")
            elif re.match(r":\S+ (?!ACCEPT|-)", line):
                wrong.append(f"{table}: {line.split(' [')[0][1:]}")
        return Judgement(result.ok and not wrong, _NONE, "\n".join(wrong) or _NONE)

    return judge


def _no_other_route(lab: Plan, me: MachinePlan) -> Judge:
    """Routes of a NIC of the provider's own, for the management, are another network's."""
    wires = {nic.name: str(lab.networks[nic.network].subnet) for nic in me.nics}

    def planned(row: str) -> bool:
        words = row.split()
        if words[0].endswith(":"):
            return row in _RULES
        device = words[words.index("dev") + 1] if "dev" in words else ""
        table = words[words.index("table") + 1] if "table" in words else "main"
        if words[0] in _SWALLOWING:
            return False
        if table == "local" or device not in wires:
            return True
        return table == "main" and words[0] in {"default", wires[device]}

    def judge(result: Result) -> Judgement:
        rows = [" ".join(line.split()) for line in result.stdout.splitlines()]
        wrong = [row for row in rows if not planned(row)]
        return Judgement(result.ok and not wrong, _NONE, "\n".join(wrong) or _NONE)

    return judge
