"""The check of what a machine starts from beside the plan's files: Debian's programs, units and settings."""

from __future__ import annotations

import re
from collections.abc import Iterable

from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.lab import MachinePlan

PACKAGES = "packages"  # the check's name
_READ_BY_PEOPLE = re.compile(r"missing +/usr/share/(doc|man|locale|info|lintian)(/.*)?")  # images leave them out


def packages_check(machine: MachinePlan, packages: Iterable[str]) -> Check:
    """Return the check of these packages, by dpkg's own records."""
    look = f"dpkg -V {' '.join(sorted(set(packages)))}"
    title = "what it starts from is as Debian brought it"
    return Check(
        PACKAGES, machine.name, title, f"{look} 2>&1", _unchanged({file.path for file in machine.files}), look=look
    )


def _unchanged(planned: set[str]) -> Judge:
    def judge(result: Result) -> Judgement:
        rows = [row for row in result.stdout.splitlines() if not _READ_BY_PEOPLE.fullmatch(row)]
        changed = [row for row in rows if row.split()[-1] not in planned]
        expected = "unchanged"
        return Judgement(not changed, expected, "\n".join(changed) or expected)

    return judge
