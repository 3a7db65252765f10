"""Results as JSON, and back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from drills import NAMES, recorded

from labbuilder import report
from labbuilder.errors import SpecError


@pytest.mark.parametrize("name", NAMES)
def test_a_document_is_read_back_as_what_it_was(tmp_path: Path, name: str) -> None:
    (path,) = report.write([recorded(name)], tmp_path / "kept.json")
    assert report.load(path) == (recorded(name),)


def test_keys_stay() -> None:
    document = report.as_json([recorded()], limit_s=0.05)
    assert list(document) == ["format", "labbuilder", "limit_s", "passed", "drills"]
    (drill,) = document["drills"]
    assert set(drill) == {
        *(
            "drill",
            "title",
            "lab",
            "mode",
            "engine",
            "provider",
            "versions",
            "started_at",
            "seconds",
            "seed",
            "outages",
        ),
        *("exchanges", "messages", "events", "duplicates", "lost", "verification", "load", "passed", "outage_s"),
        *("claims", "answers", "command"),
    }
    assert set(drill["outages"][0]) == {"kind", "asked", "answered", "seconds", "longest_wait_s", "resolution_s"}
    assert drill["claims"] == {"outage": False, "duplicates": True, "lost": True, "verified": True}
    assert not document["passed"]
    assert set(drill["answers"]["server1"]) == {"before", "during", "after", "share"}


def test_spans_are_round() -> None:
    fine = tuple(replace(o, seconds=0.123456789, longest_wait_s=1.23456789) for o in recorded().outages)
    (drill,) = report.as_json([replace(recorded(), outages=fine)])["drills"]
    assert (drill["outage_s"], drill["outages"][0]["seconds"]) == (0.123, 0.123)
    assert drill["outages"][0]["longest_wait_s"] == 1.235


def test_json_takes_it_as_it_is() -> None:
    assert json.loads(json.dumps(report.as_json([recorded()]), allow_nan=False))["format"] == 1


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2, "drills": []}', '{"format": 1, "drills": [{}]}', "\x00"])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match="is no report of drills"):
        report.load(path)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="No such file"):
        report.load(tmp_path / "absent.json")
