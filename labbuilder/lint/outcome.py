"""What came of one look: at a pair, or at a server by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from labbuilder.errors import LintError
from labbuilder.lint.model import Finding, Severity


@dataclass(frozen=True)
class Outcome:
    """The files that were looked at, and what was found, or why they could not be read.

    Attributes:
        files: One or two, as they were named.
        findings: Empty if `error` is set.
        error: One of the files can't be read, or its daemon would refuse its syntax.
        told: What else is worth saying, such as which daemon takes a file.
    """

    files: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    error: LintError | None = None
    told: tuple[str, ...] = ()


def exit_status(outcomes: Iterable[Outcome], *, strict: bool) -> int:
    """0: fine; 1: errors were found, or warnings where these count; 2: a file can't be read."""
    bad = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    worst = 0
    for outcome in outcomes:
        if outcome.error:
            return outcome.error.exit_code
        worst = max(worst, int(any(finding.severity in bad for finding in outcome.findings)))
    return worst
