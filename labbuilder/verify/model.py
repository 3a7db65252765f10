"""What came of checks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from labbuilder.errors import VerificationError
from labbuilder.model.check import Verdict


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
