"""What came of checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from labbuilder.errors import VerificationError
from labbuilder.model.check import Verdict


@dataclass(frozen=True)
class Outcome:
    """A check with its evidence.

    Attributes:
        command: The probe.
        look: What a person types to see the same, in the machine or, where it begins with "labbuilder", on the host.
        follows_from: The first causes of its failure among the others, as "machine:check"; none of one that is a cause.
    """

    check: str
    machine: str
    title: str
    verdict: Verdict
    command: str
    expected: str
    observed: str
    look: str = ""
    follows_from: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What others that follow from it call it."""
        return f"{self.machine}:{self.check}"

    @property
    def typed(self) -> str:
        """The line that a person types, with the prompt of where."""
        look = self.look or self.command
        return f"$ {look}" if look.startswith("labbuilder ") else f"{self.machine}# {look}"


@dataclass(frozen=True)
class Verification:
    """All outcomes of one round, in the order of the guide.

    Attributes:
        left_out: What is not asked of such a lab, and why.
    """

    lab: str
    outcomes: tuple[Outcome, ...]
    seconds: float
    rebooted: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

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
    def causes(self) -> tuple[tuple[Outcome, tuple[Outcome, ...]], ...]:
        """All failures that follow from nothing else, each with those that follow from it."""
        return tuple(
            (cause, tuple(outcome for outcome in each if cause.key in outcome.follows_from))
            for each in self._rounds
            for cause in each
            if cause.verdict is not Verdict.PASS and not cause.follows_from
        )

    def following(self, machine: str) -> tuple[Outcome, ...]:
        """Return the failures on other machines that follow from those of an unreachable one."""
        singly = self.told_singly
        return tuple(o for o in singly if any(key.startswith(f"{machine}:") for key in o.follows_from))

    @property
    def _rounds(self) -> Iterator[tuple[Outcome, ...]]:
        """The first, and one after each reboot: of all checks each."""
        size = len(self.outcomes) // (len(self.rebooted) + 1)
        return (self.outcomes[start : start + size] for start in range(0, len(self.outcomes), size or 1))

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
        told = [
            f"{machine}: no check could be asked: {why}{_more(self.following(machine))}"
            for machine, why in self.unreachable.items()
        ]
        told += [f"{_line(o)}{_more(followers)}" for o, followers in self.causes if o.machine not in self.unreachable]
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


def _line(o: Outcome) -> str:
    return f"{o.machine}: {o.title}: expected {o.expected}, seen {o.observed or 'nothing'}  [{o.typed}]"


def _more(followers: tuple[Outcome, ...]) -> str:
    return f"; {len(followers)} more follow{'s' if len(followers) == 1 else ''} from it" if followers else ""
