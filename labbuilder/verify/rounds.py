"""Asking the checks: all probes of a machine in one round trip, all machines at the same time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from labbuilder.errors import LabError, WaitError
from labbuilder.host.parallel import for_each
from labbuilder.host.run import Result
from labbuilder.host.wait import Deadline, wait_until
from labbuilder.model.check import Check, Verdict
from labbuilder.ssh.shell import Shell
from labbuilder.verify.model import Outcome, Verification
from labbuilder.verify.questions import answers_of

PROOF_S = 300.0  # emulated machines beside other work took minutes for what takes half a second elsewhere


def run_checks(
    checks: Sequence[Check],
    shell_for: Callable[[str], Shell],
    *,
    lab: str,
    within_s: float = 0.0,
    deadline: Deadline | None = None,
) -> Verification:
    """Ask every check; with a limit, or where a check has one of its own, ask again until all pass or it is over.

    Args:
        checks: What is to be proven.
        shell_for: Connects to a machine; one that can't be reached makes its checks end in ERROR.
        lab: The lab's name, for the report.
        within_s: Seconds for the lab to settle, after a reboot, from when it has first answered.
        deadline: Of it all; what was asked and not answered by then ends in ERROR. Default: `PROOF_S` from now.
    """
    start, deadline = time.monotonic(), deadline or Deadline(PROOF_S)
    every = range(len(checks))
    seen: dict[int, tuple[Outcome, float]] = {}
    asked, first_answered = tuple(every), 0.0

    def settled() -> bool:
        """Ask what failed, and all again once nothing does: probes that pass may be in the way of what is awaited."""
        nonlocal asked, first_answered
        seen.update(zip(asked, _ask([checks[n] for n in asked], shell_for, deadline), strict=True))
        first_answered = first_answered or time.monotonic()
        failed = tuple(n for n in every if seen[n][0].verdict is not Verdict.PASS)
        whole, asked = len(asked) == len(checks), failed or tuple(every)
        if not failed and not whole and not deadline.expired:
            return False
        limit_s = max(within_s, _worth_waiting_s([(checks[n].id, seen[n][1]) for n in failed]))
        return not failed or deadline.expired or time.monotonic() - first_answered >= limit_s

    with contextlib.suppress(WaitError):  # the outcomes say which did not
        wait_until("all checks pass", settled, within_s=deadline.remaining_s, every_s=0.25)
    outcomes = tuple(seen[n][0] for n in every)
    return Verification(lab, _with_causes(checks, outcomes), time.monotonic() - start)


def _with_causes(checks: Sequence[Check], outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Say of each failure from which others it follows: what it rests on failed too, and so on to the first."""
    rests_on = {
        outcome.key: tuple(name if ":" in name else f"{check.machine}:{name}" for name in check.rests_on)
        for check, outcome in zip(checks, outcomes, strict=True)
        if outcome.verdict is not Verdict.PASS
    }

    def follows_from(key: str) -> tuple[str, ...]:
        """Those that rest on each other follow from none of them: what failed is told in any case."""
        found, left = set[str](), [key]
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left += [below for below in rests_on[name] if below in rests_on]
        return tuple(sorted(one for one in found - {key} if not any(below in rests_on for below in rests_on[one])))

    return tuple(
        replace(outcome, follows_from=follows_from(outcome.key)) if outcome.key in rests_on else outcome
        for outcome in outcomes
    )


def _worth_waiting_s(failed: Sequence[tuple[str, float]]) -> float:
    """For how long it is worth asking again; one check that is broken for good makes all others wait in vain.

    Two servers are asked the same, and one of them may know sooner than the other that they find each other again.
    """
    longest: dict[str, float] = {}
    for name, settle_s in failed:
        longest[name] = max(settle_s, longest.get(name, 0.0))
    return min(longest.values(), default=0.0)


def _ask(checks: Sequence[Check], shell_for: Callable[[str], Shell], deadline: Deadline) -> list[tuple[Outcome, float]]:
    """Ask all once; what came of each check, and for how many seconds it is worth asking again."""
    probes = [probe for check in checks for probe in check.probes]
    machines = list(dict.fromkeys(machine for machine, _ in probes))

    def ask(machine: str) -> Mapping[str, Result | LabError]:
        commands = list(dict.fromkeys(command for name, command in probes if name == machine))
        return answers_of(machine, commands, lambda: shell_for(machine), deadline)

    answers = dict(zip(machines, for_each(machines, ask), strict=True))
    return [_judged(check, answers) for check in checks]


def _judged(check: Check, answers: Mapping[str, Mapping[str, Result | LabError]]) -> tuple[Outcome, float]:
    said = []
    for machine, command in check.probes:
        answer = answers[machine][command]
        if isinstance(answer, LabError):  # said of the machine that does not answer, be it the partner
            return _error(check, machine, _told(answer))
        said.append(answer)
    try:
        judgement = check.judge(*said)
    except Exception as error:  # noqa: BLE001  a machine may say anything, and one judge is not all
        shown = "\n".join((result.stdout + result.stderr)[:300] for result in said)
        return _error(check, check.machine, f"its answer can't be read ({type(error).__name__}: {error}): {shown}")
    verdict, seen = Verdict.PASS if judgement.passed else Verdict.FAIL, (judgement.expected, judgement.observed)
    outcome = Outcome(
        check.id, check.machine, check.title, verdict, check.command, *seen, look=check.look or check.command
    )
    return outcome, max(check.settle_s, judgement.settle_s)


def _told(error: LabError) -> str:
    details = "; ".join((error.details or "").splitlines())
    return f"{error.brief} ({details})" if details else error.brief


def _error(check: Check, machine: str, why: str) -> tuple[Outcome, float]:
    outcome = Outcome(
        check.id, machine, check.title, Verdict.ERROR, check.command, "an answer", why, check.look or check.command
    )
    return outcome, check.settle_s
