"""Results as JUnit XML."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

from drills import recorded, with_names, wrong
from junitparser import JUnitXml

from labbuilder import report
from labbuilder.verify import Verdict


def test_one_case_a_drill_and_a_failure_for_each_broken_claim() -> None:
    broken = wrong(recorded("isc-manual"), duplicates=("192.168.1.7: a and b",), lost=("c: 192.168.1.8 was refused",))
    document = JUnitXml.fromstring(report.junit([recorded(), broken], limit_s=0.01))
    assert (document.tests, document.failures) == (2, 4)
    first, second = (next(iter(suite)) for suite in document)
    assert [suite.name for suite in document] == ["isc load-balancing", "isc manual"]
    assert (first.name, first.time, len(first.result)) == ("crash-primary", recorded().seconds, 1)
    assert [failure.type for failure in second.result] == ["outage", "duplicates", "lost"]
    assert "192.168.1.7: a and b" in second.result[1].message
    assert "--seed 1" in second.system_out


def test_a_failed_check_stands_in_the_output() -> None:
    result = recorded()
    bad = replace(result.verification.outcomes[0], verdict=Verdict.FAIL, observed="10.0.0.9/8")
    found = report.junit([replace(result, verification=replace(result.verification, outcomes=(bad,)))])
    assert 'type="verified"' in found
    assert "10.0.0.9/8" in found


def test_another_stopwatch_fails_by_its_own_claim_and_stands_in_the_output() -> None:
    found = JUnitXml.fromstring(report.junit([with_names(recorded())]))
    (case,) = next(iter(found))
    assert [failure.type for failure in case.result] == ["stale"]
    assert "lab: 2.98 s, 5 of 12 unanswered" in case.system_out


def test_what_xml_can_not_hold_is_replaced() -> None:
    hostile = wrong(replace(recorded(), drill='a\x00\x1b[31m<&"'), lost=("]]>\x08",))
    case = ET.fromstring(report.junit([hostile])).find(".//testcase")
    assert case is not None
    assert case.get("name") == 'a\ufffd\ufffd[31m<&"'
