"""A check: one line of what must be true of a lab, as something that can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The answer of a check. ERROR is not FAIL: a probe that could not run proves nothing."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    ERROR = "error"


@dataclass(frozen=True)
class Judgement:
    """What a check makes of its probe's output.

    Attributes:
        settle_s: It comes true by itself within so many seconds, by what was seen: it is asked again.
    """

    passed: bool
    expected: str
    observed: str
    settle_s: float = 0.0


Judge = Callable[..., Judgement]


@dataclass(frozen=True)
class Check:
    """One line of the guide, as something that can fail.

    Attributes:
        id: Stable name, "forwarding.kernel".
        machine: Where the probe runs.
        title: The line of the guide, as a reader would say it.
        command: The probe, a line of shell run as root in the machine; it changes nothing.
        judge: Reads what the probe printed, then what the others printed.
        others: Probes of other machines, as pairs of machine and command: what is true of a pair.
        settle_s: Asked again for so many seconds: what follows a change elsewhere a moment later.
        look: What a person types to see the same: in the machine, or on the host where it begins with "labbuilder";
            empty: the probe.
        rests_on: Checks without which it can't pass, by their ids; those of other machines as "machine:id". When one of
            them fails too, this one follows from it.
    """

    id: str
    machine: str
    title: str
    command: str
    judge: Judge
    others: tuple[tuple[str, str], ...] = ()
    settle_s: float = 0.0
    look: str = ""
    rests_on: tuple[str, ...] = ()

    @property
    def probes(self) -> tuple[tuple[str, str], ...]:
        """All that is asked, as pairs of machine and command."""
        return (self.machine, self.command), *self.others
