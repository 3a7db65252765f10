"""Results as JSON, and back."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from drills import FACTS, NAMES, felt, recorded, with_names

from labbuilder import report
from labbuilder.errors import SpecError
from labbuilder.report import figures, format1
from labbuilder.report.words import Words


@pytest.mark.parametrize("name", NAMES)
def test_a_document_is_read_back_as_what_it_was(tmp_path: Path, name: str) -> None:
    (path,) = report.write([recorded(name)], tmp_path / "kept.json")
    assert report.load(path) == (recorded(name),)


def test_a_result_of_two_stopwatches_is_read_back_too(tmp_path: Path) -> None:
    two = with_names(recorded())
    (path,) = report.write([two], tmp_path / "kept.json")
    assert report.load(path) == (two,)


@pytest.mark.parametrize("name", NAMES)
def test_what_stood_in_format_1_stands_where_it_did(name: str) -> None:
    """The facts are reports that labbuilder wrote when there was one stopwatch."""
    (old,) = json.loads(gzip.decompress((FACTS / f"drill-crash-primary-{name}.json.gz").read_bytes()))["drills"]
    (new,) = report.as_json([with_names(recorded(name))])["drills"]
    new["passed"] = old["passed"]  # an invented stopwatch found something wrong
    for outage in new["outages"]:
        del outage["unserved"]
    for event in new["events"]:
        del event["condition"]
    del new["verification"]["left_out"]
    for outcome in new["verification"]["outcomes"]:
        del outcome["look"], outcome["follows_from"]
    old["command"] = old["command"].replace(" --seed", " --provider nspawn --seed")  # said since then
    claims = {key: new["claims"][key] for key in old["claims"]}
    assert {key: new[key] for key in old} | {"claims": claims} == old


def test_a_loop_over_stopwatches_meets_every_figure() -> None:
    (drill,) = report.as_json([with_names(recorded())])["drills"]
    addresses, names = drill["stopwatches"]
    assert (addresses["name"], names["name"]) == ("addresses", "names")
    for key in ("outages", "exchanges", "answers", "outage_s"):
        assert addresses[key] == drill[key]
    assert (names["outage_s"], [o["unserved"] for o in names["outages"]]) == (2.98, [5, 1])
    assert names["wrong"] == {"stale": ["c3 is not 192.168.1.9"]}
    assert names["answers"]["server2"] == {
        "before": 4,
        "during": 7,
        "after": 0,
        "share": {"value": 1.0, "low": pytest.approx(0.51, abs=0.01), "high": 1.0, "of": 4},
    }
    assert drill["claims"]["names.outage"]
    assert not drill["claims"]["names.stale"]
    assert not drill["passed"]


def test_a_report_of_format_1_gets_what_it_is_judged_by() -> None:
    """It had no word for it: both-down was counted to the end, and states were the engine's own words."""
    result = recorded()
    assert result.counted == "repair"
    states = {event.text: event.condition for event in result.events if event.what == "state"}
    assert states["normal"] == "well"
    assert states["down"] == "off"
    assert states["communications-interrupted"] == "alone"
    assert {event.condition for event in result.events if event.what != "state"} == {None}
    old = json.loads(gzip.decompress((FACTS / "drill-crash-primary-isc-manual.json.gz").read_bytes()))["drills"][0]
    assert format1.upgraded({**old, "drill": "both-down"})["counted"] == "end"


def test_a_saved_report_is_judged_by_what_it_carries_and_not_by_todays_faults(tmp_path: Path) -> None:
    late = replace(recorded(), drill="crash-primary", counted="end")
    (path,) = report.write([late], tmp_path / "kept.json")
    (result,) = report.load(path)
    said = Words("en").claim(figures.claims(result)[0], result, None)
    assert said == "new clients are served again before the drill ends"


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
        *("claims", "answers", "command", "stopwatches", "counted"),
    }
    assert set(drill["outages"][0]) == {
        *("kind", "asked", "answered", "seconds", "longest_wait_s", "resolution_s", "unserved")
    }
    assert drill["claims"] == {"outage": False, "duplicates": True, "lost": True, "verified": True}
    assert not document["passed"]
    assert set(drill["answers"]["server1"]) == {"before", "during", "after", "share"}


def test_spans_are_round() -> None:
    fine = tuple(replace(o, seconds=0.123456789, longest_wait_s=1.23456789) for o in recorded().outages)
    (drill,) = report.as_json([felt(recorded(), outages=fine)])["drills"]
    assert (drill["outage_s"], drill["outages"][0]["seconds"]) == (0.123, 0.123)
    assert drill["outages"][0]["longest_wait_s"] == 1.235


def test_json_takes_it_as_it_is() -> None:
    assert json.loads(json.dumps(report.as_json([recorded()]), allow_nan=False))["format"] == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"format": 3, "drills": []}',
        '{"format": 1, "drills": [{}]}',
        '{"format": 2, "drills": [{}]}',
        '{"format": 2}',
        '{"format": 2, "drills": [{"stopwatches": []}]}',
        "\x00",
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match="is no report of drills"):
        report.load(path)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="No such file"):
        report.load(tmp_path / "absent.json")
