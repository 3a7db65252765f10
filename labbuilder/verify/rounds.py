"""Asking the checks: all probes of a machine in one round trip, all machines at the same time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence

from labbuilder.errors import LabError, WaitError
from labbuilder.host.parallel import for_each
from labbuilder.host.run import Result
from labbuilder.host.wait import wait_until
from labbuilder.ssh.shell import Shell
from labbuilder.verify.model import Check, Outcome, Verdict, Verification

_ROUND_LIMIT_S = 60.0


def run_checks(
    checks: Sequence[Check], shell_for: Callable[[str], Shell], *, lab: str, within_s: float = 0.0
) -> Verification:
    """Ask every check; with a limit, or where a check has one of its own, ask again until all pass or it is over.

    Args:
        checks: What is to be proven.
        shell_for: Connects to a machine; one that can't be reached makes its checks end in ERROR.
        lab: The lab's name, for the report.
        within_s: Seconds for the lab to settle, after a reboot.
    """
    start = time.monotonic()
    last: list[Outcome] = []
    longest_s = max([within_s, *(check.settle_s for check in checks)])

    def settled() -> bool:
        last[:] = _ask(checks, shell_for)
        failed = [check for check, seen in zip(checks, last, strict=True) if seen.verdict is not Verdict.PASS]
        limit_s = max(within_s, min((check.settle_s for check in failed), default=0.0))
        return not failed or time.monotonic() - start > limit_s

    with contextlib.suppress(WaitError):  # the outcomes say which did not
        wait_until("all checks pass", settled, within_s=longest_s, every_s=0.25)
    return Verification(lab, tuple(last), time.monotonic() - start)


def _ask(checks: Sequence[Check], shell_for: Callable[[str], Shell]) -> list[Outcome]:
    probes = [probe for check in checks for probe in check.probes]
    machines = list(dict.fromkeys(machine for machine, _ in probes))

    def ask(machine: str) -> dict[str, Result] | LabError:
        commands = list(dict.fromkeys(command for name, command in probes if name == machine))
        try:
            results = shell_for(machine).run_many(commands, timeout_s=_ROUND_LIMIT_S)
        except LabError as error:
            return error
        return dict(zip(commands, results, strict=True))

    answers = dict(zip(machines, for_each(machines, ask), strict=True))
    return [_judged(check, answers) for check in checks]


def _judged(check: Check, answers: Mapping[str, dict[str, Result] | LabError]) -> Outcome:
    said = []
    for machine, command in check.probes:
        answer = answers[machine]
        if isinstance(answer, LabError):  # said of the machine that does not answer, be it the partner
            told = "an answer", answer.brief
            return Outcome(check.id, machine, check.title, Verdict.ERROR, check.command, *told)
        said.append(answer[command])
    judgement = check.judge(*said)
    verdict = Verdict.PASS if judgement.passed else Verdict.FAIL
    return Outcome(check.id, check.machine, check.title, verdict, check.command, judgement.expected, judgement.observed)
