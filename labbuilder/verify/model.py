"""What a check is and what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from labbuilder.errors import VerificationError


class Verdict(StrEnum):
    """The answer of a check. ERROR is not FAIL: a probe that could not run proves nothing."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    ERROR = "error"


@dataclass(frozen=True)
class Judgement:
    """What a check makes of its probe's output."""

    passed: bool
    expected: str
    observed: str


@dataclass(frozen=True)
class Check:
    """One line of the guide, as something that can fail.

    Attributes:
        id: Stable name, "forwarding.kernel".
        machine: Where the probe runs.
        title: The line of the guide, as a reader would say it.
        command: The probe, a line of shell run as root in the machine; it changes nothing.
        judge: Reads what the probe said, then what the others said.
        others: Probes of other machines, as pairs of machine and command: what is true of a pair.
        settle_s: Asked again for so many seconds: what follows a change elsewhere a moment later.
    """

    id: str
    machine: str
    title: str
    command: str
    judge: Callable[..., Judgement]
    others: tuple[tuple[str, str], ...] = ()
    settle_s: float = 0.0

    @property
    def probes(self) -> tuple[tuple[str, str], ...]:
        """All that is asked, as pairs of machine and command."""
        return (self.machine, self.command), *self.others


@dataclass(frozen=True)
class Outcome:
    """A check with its evidence."""

    check: str
    machine: str
    title: str
    verdict: Verdict
    command: str
    expected: str
    observed: str


@dataclass(frozen=True)
class Verification:
    """All outcomes of one round, in the order of the guide."""

    lab: str
    outcomes: tuple[Outcome, ...]
    seconds: float
    rebooted: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """Whatever did not pass."""
        return tuple(o for o in self.outcomes if o.verdict is not Verdict.PASS)

    @property
    def unreachable(self) -> dict[str, str]:
        """Machines none of whose checks could be asked, with the reason: one line tells more than thirty."""
        answered = {outcome.machine for outcome in self.outcomes if outcome.verdict is not Verdict.ERROR}
        return {o.machine: o.observed for o in self.failures if o.machine not in answered}

    @property
    def told_singly(self) -> tuple[Outcome, ...]:
        """All failures but those of machines that are `unreachable`."""
        unreachable = self.unreachable
        return tuple(outcome for outcome in self.failures if outcome.machine not in unreachable)

    @property
    def passed(self) -> bool:
        """Every check passed, and there was at least one."""
        return bool(self.outcomes) and not self.failures

    def raise_for_failures(self) -> None:
        """Do nothing when every check passed.

        Raises:
            VerificationError: With the evidence of each check that did not.
        """
        if self.passed:
            return
        told = [f"{machine}: no check could be asked: {why}" for machine, why in self.unreachable.items()]
        told += [
            f"{o.machine}: {o.title}: expected {o.expected}, seen {o.observed or 'nothing'}  [{o.command}]"
            for o in self.told_singly
        ]
        raise VerificationError(
            brief=f"{len(self.failures)} of {len(self.outcomes)} checks failed in the lab {self.lab}",
            details="\n".join(told),
            resolution="labbuilder up repairs what it wrote; labbuilder logs MACHINE shows why",
        )

    def followed_by(self, later: Verification, *, rebooted: str) -> Verification:
        """Both rounds as one; the later one's titles say what came before it."""
        told = tuple(replace(o, title=f"{o.title} (after the reboot of {rebooted})") for o in later.outcomes)
        return replace(
            self,
            outcomes=(*self.outcomes, *told),
            seconds=self.seconds + later.seconds,
            rebooted=(*self.rebooted, rebooted),
        )
