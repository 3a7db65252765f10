"""Asking the checks: all probes of a machine in one round trip, all machines at the same time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence

from labbuilder.errors import LabError, WaitError
from labbuilder.parallel import for_each
from labbuilder.run import Result
from labbuilder.transport import Shell
from labbuilder.verify.model import Check, Outcome, Verdict, Verification
from labbuilder.wait import wait_until

_ROUND_LIMIT_S = 30.0


def run_checks(
    checks: Sequence[Check], shell_for: Callable[[str], Shell], *, lab: str, within_s: float = 0.0
) -> Verification:
    """Ask every check; with a limit, ask again until all pass or it is over.

    Args:
        checks: What is to be proven.
        shell_for: Connects to a machine; one that can't be reached makes its checks end in ERROR.
        lab: The lab's name, for the report.
        within_s: Seconds for the lab to settle, after a reboot.
    """
    start = time.monotonic()
    last: list[Outcome] = []

    def asked() -> bool:
        last[:] = _ask(checks, shell_for)
        return all(outcome.verdict is Verdict.PASS for outcome in last)

    with contextlib.suppress(WaitError):  # the outcomes say which did not
        wait_until("all checks pass", asked, within_s=within_s, every_s=0.25)
    return Verification(lab, tuple(last), time.monotonic() - start)


def _ask(checks: Sequence[Check], shell_for: Callable[[str], Shell]) -> list[Outcome]:
    machines = list(dict.fromkeys(check.machine for check in checks))

    def ask(machine: str) -> list[Outcome]:
        own = [check for check in checks if check.machine == machine]
        try:
            results = shell_for(machine).run_many([c.command for c in own], timeout_s=_ROUND_LIMIT_S)
        except LabError as error:
            return [_outcome(check, Verdict.ERROR, "an answer", error.brief) for check in own]
        return [_judged(check, result) for check, result in zip(own, results, strict=True)]

    found = {o.check + o.machine: o for answers in for_each(machines, ask) for o in answers}
    return [found[check.id + check.machine] for check in checks]


def _judged(check: Check, result: Result) -> Outcome:
    judgement = check.judge(result)
    verdict = Verdict.PASS if judgement.passed else Verdict.FAIL
    return _outcome(check, verdict, judgement.expected, judgement.observed)


def _outcome(check: Check, verdict: Verdict, expected: str, observed: str) -> Outcome:
    return Outcome(check.id, check.machine, check.title, verdict, check.command, expected, observed)
