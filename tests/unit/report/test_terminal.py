"""Results on a terminal of 80 columns."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest
from drills import felt, recorded, with_names, wrong
from rich.console import Console

from labbuilder import report
from labbuilder.drill import titles
from labbuilder.drill.model import DrillResult
from labbuilder.model.fault import Counted

FAULTS = tuple(titles())
MODES = ("load-balancing", "hot-standby", "round-robin", "manual")


def printed(results: Sequence[DrillResult], *, terminal: bool = False, width: int = 80, **options: object) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=terminal, _environ={"TERM": "xterm"})
    console.print(report.table(results, **options), crop=False)  # type: ignore[arg-type]
    return stream.getvalue()


def matrix() -> list[DrillResult]:
    of_engine = {"isc": recorded(), "kea": recorded("kea-hot-standby")}
    return [replace(of_engine[e], drill=d, mode=m) for e, d, m in product(of_engine, FAULTS, MODES)]


@pytest.mark.parametrize("language", ["en", "es"])
def test_nothing_is_broken_by_80_columns(language: str) -> None:
    every = matrix()
    for results in (every, [r for r in every if (r.engine, r.mode) == ("isc", "manual")]):
        text = printed(results, language=language)
        assert max(map(len, text.splitlines())) <= 80
        for name in FAULTS:
            assert sum(line.startswith(f" {name} ") for line in text.splitlines()) == len({r.engine for r in results})
    heads = [line.split() for line in printed(every, language=language).splitlines() if "round-robin" in line]
    assert [words[1:] for words in heads] == [list(MODES)] * 2


def test_a_narrow_terminal_breaks_no_drills_name() -> None:
    text = printed(matrix(), width=56)
    assert all(f" {name} " in text for name in FAULTS)


def test_one_drill_is_told_in_full() -> None:
    text = printed([recorded("isc-manual")], limit_s=0.01)
    for said in ("FAILED", "new clients", "the operator lets server2 serve", "server2: serving", "within 10 ms"):
        assert said in text
    assert "labbuilder drill crash-primary --mode manual --engine isc --provider nspawn --seed 1\n" in text


def test_where_the_repair_is_measured_too_nobody_is_said_to_be_served_before_it() -> None:
    text = printed([replace(recorded(), drill="both-down", counted="end")])
    assert "new clients are served again before the drill ends: \u2264\u00a00.12 s" in text
    assert "new clients are served again before the repair: \u2264\u00a00.12 s" in printed([recorded()])


@pytest.mark.parametrize("until", ["repair", "end"])
def test_a_drill_in_which_nobody_was_served_says_until_when(until: Counted) -> None:
    dark = tuple(replace(o, seconds=None, answered=0, longest_wait_s=None) for o in recorded().outages)
    text = printed([felt(replace(recorded(), counted=until), outages=dark)])
    assert f": no answer until the {until}\n" in text
    assert ("till the end" in text) is (until == "end")


def test_a_failure_is_told_with_its_reason() -> None:
    bad = wrong(replace(recorded(), drill="power-cut"), duplicates=("192.168.1.7: a and b",))
    text = printed([recorded(), bad])
    assert "1 of 2 drills passed" in text
    assert "no address is held by two clients: 192.168.1.7: a and b" in text


def test_a_drill_that_was_run_twice_stands_twice() -> None:
    slow = tuple(replace(outage, seconds=7.0) for outage in recorded().outages)
    text = printed([recorded(), recorded("isc-manual"), felt(replace(recorded(), seed=2), outages=slow)])
    assert [line.split()[0] for line in text.splitlines() if "\u2713" in line] == ["crash-primary", "7.00"]


def test_colours_are_for_terminals_alone() -> None:
    assert "\x1b[" not in printed([recorded()])
    assert "\x1b[" in printed([recorded()], terminal=True)


def test_a_hostile_name_commands_no_terminal() -> None:
    text = printed([replace(recorded(), drill="[bold red]x\x1b]0;owned\x07\x9b31m", lab="\x1b[2J")])
    assert "[bold red]x" in text
    assert not {"\x1b", "\x07", "\x9b"} & set(text)


def test_who_got_no_answer_stands_beside_a_short_outage() -> None:
    few = tuple(replace(o, asked=53, answered=20, seconds=0.16, resolution_s=0.2) for o in recorded().outages)
    result = felt(recorded(), outages=few)
    assert "served again before the repair: \u2264\u00a00.16 s, 33 unanswered" in printed([result])
    assert printed([result, result]).count("33 unanswered") == 6
    other = replace(result, mode="manual")
    assert printed([result, other]).count("33 unanswered") == 2
    assert "33 sin respuesta" in printed([result], language="es")
    assert max(map(len, printed([replace(r, drill=d) for d in FAULTS for r in (result, other)]).splitlines())) <= 80


def test_another_stopwatch_has_its_tables_and_claims() -> None:
    two = with_names(recorded())
    text = printed([two])
    assert "\u2713 names: there is an answer again before the repair: 2.98 s, 5 unanswered" in text
    assert "\u2717 stale: c3 is not 192.168.1.9" in text
    assert "names" in printed([two, recorded()])
    several = printed([two, replace(two, mode="manual")])
    assert "outage of new clients" in several
    assert "outage of names" in several
