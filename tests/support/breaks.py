"""Breaking a running lab: what is broken, which checks must see it, and that the lab is whole afterwards."""

from __future__ import annotations

from typing import NamedTuple

from labbuilder.lab import Lab


class Break(NamedTuple):
    """What is broken: machine, command, and the checks that must fail; others may follow from it."""

    machine: str
    command: str
    checks: set[str]
    mend: str = ""
    """For what labbuilder neither wrote nor touches."""


def broken_and_mended(lab: Lab, broken: Break) -> None:
    """The lab is proven before: by the `up` of its fixture, or by that of the break before."""
    try:
        assert lab.run(broken.machine, broken.command).ok
        assert broken.checks <= {outcome.check for outcome in lab.verify().failures}
    finally:  # one test that fails leaves the next ones a whole lab
        if broken.mend:
            lab.run(broken.machine, broken.mend)
        lab.up()


def broken_together(lab: Lab, *breaks: Break) -> None:
    """Each in a machine of its own, whose own checks must see it: one look is enough."""
    mends = [(one.machine, one.mend) for one in breaks if one.mend]
    try:
        for one in breaks:
            assert lab.run(one.machine, one.command).ok
        failed = {(outcome.machine, outcome.check) for outcome in lab.verify().failures}
        assert {(one.machine, check) for one in breaks for check in one.checks} <= failed
    finally:
        for machine, mend in mends:
            lab.run(machine, mend)
        lab.up()


def not_broken(lab: Lab, *breaks: dict[str, Break]) -> set[str]:
    """The checks that none of them breaks; what is asked twice for two servers is one."""
    broken = {check for table in breaks for one in table.values() for check in one.checks}
    return {o.check for o in lab.verify().outcomes if not o.check.endswith(".server2")} - broken
