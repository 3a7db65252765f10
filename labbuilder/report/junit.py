"""Results as JUnit XML: one test case a drill, each broken claim a failure of it."""

from __future__ import annotations

from collections.abc import Sequence

from junitparser import Failure, JUnitXml, TestCase, TestSuite

from labbuilder.drill.model import DrillResult
from labbuilder.report import figures
from labbuilder.report.figures import printable
from labbuilder.report.words import Words


def junit(results: Sequence[DrillResult], *, limit_s: float | None = None) -> str:
    """The document, in English, as CI servers read it.

    Args:
        results: The drills.
        limit_s: The longest outage of new clients that is allowed; None: any.
    """
    document = JUnitXml("labbuilder drill")
    for key in dict.fromkeys((r.engine, r.mode) for r in results):
        suite = TestSuite(printable(" ".join(key)))
        suite.add_testcases([_case(r, limit_s) for r in results if (r.engine, r.mode) == key])
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    text: bytes = document.tostring()  # type: ignore[no-untyped-call]
    return text.decode()


def _case(result: DrillResult, limit_s: float | None) -> TestCase:
    words = Words("en")
    case = TestCase(printable(result.drill), printable(f"{result.lab}.{result.engine}.{result.mode}"), result.seconds)
    case.result = [
        Failure(printable(f"{words.claim(claim, result, limit_s)}: {words.seen(claim, result)}"), claim.key)
        for claim in figures.claims(result, limit_s)
        if not claim.holds
    ]
    told = [
        f"{words.kind(o.kind)}: {words.outage(o, result)}, {o.unserved} of {o.asked} unanswered, "
        f"resolution {words.seconds(o.resolution_s)}"
        for reading in result.stopwatches
        for o in reading.outages
    ]
    told += [f"{o.machine}: {o.title}: {o.observed}" for o in result.verification.failures]
    case.system_out = printable("\n".join([result.title, figures.versions(result), *told, figures.command(result)]))
    return case
